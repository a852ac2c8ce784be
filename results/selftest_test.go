package results

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func value(v float64) *float64 { return &v }

// selftest has each kind of check and of verdict once.
func selftest() *SelfTest {
	check := func(plant, figure, unit, compare string, truth float64, found *float64, verdict string) SelfCheck {
		return SelfCheck{Plant: plant, Server: "what is planted: " + plant, Load: "open loop, 1000 requests/s", Generator: generatorOwn, Figure: figure, Unit: unit,
			Compare: compare, Tolerance: 0.05, Truth: truth, Found: found, Formula: "the formula of " + figure, Verdict: verdict, Tries: 1}
	}
	by := func(generator string, c SelfCheck, found *float64, verdict string) SelfCheck {
		c.Generator, c.Found, c.Verdict = generator, found, verdict
		return c
	}
	p99 := check("stall", "p99", UnitTime, CompareRelative, 90e6, value(91.2e6), CheckTruthful)
	mean := check("stall", "mean", UnitTime, CompareRelative, 5e6, value(7.82e6), CheckBusy)
	mean.Tries = 3
	lost := check("wrong", "errors of kind body", UnitCount, CompareAbsolute, 52, value(51), CheckWrong)
	word := check("wrong", "verdict", UnitWord, CompareWord, 0, nil, CheckTruthful)
	word.TruthWord, word.FoundWord = "erroneous", "erroneous"
	calls := check("calls", "getppid", UnitEach, CompareAbsolute, 1, nil, CheckLacking)
	calls.Note = "count system calls: not root"
	none := check("mute", "connections starved", UnitCount, CompareAbsolute, 16, nil, CheckSilent)
	none.Note = "the server ended during the trial"
	s := &SelfTest{Run: "20261122-061852-selftest", Host: Host{CPU: "AMD EPYC", CPUs: 2, Kernel: "6.18"}, Commit: "0123456789ab", Elapsed: 112 * time.Second, Whole: true,
		Checks: []SelfCheck{
			check("late", "p90", UnitTime, CompareBelow, 1e6, value(172e3), CheckTruthful),
			check("late", "throughput", UnitRate, CompareRelative, 500, value(499.6), CheckTruthful),
			p99, mean, lost, word, calls, none,
			check("switches", "voluntary switches", UnitEach, CompareAbsolute, 2, value(2.0012), CheckTruthful),
			check("leak", "memory grown", UnitBytes, CompareRelative, 46<<20, value(46.8*(1<<20)), CheckTruthful),
			check("drift", "CPU per request grows", UnitGrow, CompareRelative, 20e3, value(18.6e3), CheckTruthful),
		},
		Foreign: []SelfCheck{
			by("wrk", p99, value(371e6), CheckWrong), by("wrk", mean, value(0.68e6), CheckBusy), by("vegeta", p99, nil, CheckLacking),
			by("wrk", lost, value(0), CheckSilent), by("vegeta", lost, value(52), CheckTruthful),
		},
		Lacking: []string{"h2load: h2load is not installed: apt-get install nghttp2-client"},
	}
	return s
}

func TestSelfTestIsRendered(t *testing.T) {
	golden(t, "selftest.md", []byte(selftest().Markdown()))
	golden(t, "selftest-100.txt", []byte(selftest().Terminal(100, false, false)))
	golden(t, "selftest-60-colour.txt", []byte(selftest().Terminal(60, true, true)))
}

func TestSelfTestConcludes(t *testing.T) {
	s := selftest()
	if got := s.Failing(CheckWrong, CheckSilent); !slices.Equal(got, []string{"wrong errors of kind body", "mute connections starved"}) {
		t.Errorf("%q", got)
	}
	if got := s.Unjudged(); !slices.Equal(got, []string{"stall"}) {
		t.Errorf("%q", got)
	}
	for _, c := range []struct{ without, want string }{
		{"", "the lab is WRONG in 2 of 9 figures: wrong errors of kind body, mute connections starved; 1 could not be judged, the machine was busy in every try: see stall; 1 cannot be had on this machine"},
		{CheckWrong + CheckSilent, "all 7 figures that could be judged are right: what was planted is what the lab reported; 1 could not be judged"},
		{CheckWrong + CheckSilent + CheckBusy + CheckLacking, "all 7 figures that could be judged are right: what was planted is what the lab reported"},
		{CheckWrong + CheckSilent + CheckTruthful, "nothing could be judged; "},
	} {
		part := *s
		part.Checks = slices.DeleteFunc(slices.Clone(s.Checks), func(k SelfCheck) bool { return strings.Contains(c.without, k.Verdict) })
		if got := part.Conclusion(); !strings.HasPrefix(got, c.want) {
			t.Errorf("without %s: %q", c.without, got)
		}
	}
	s.Whole = false
	if got := s.Conclusion(); !strings.HasSuffix(got, "; the selftest was not finished") {
		t.Errorf("%q", got)
	}
}

func TestSelfCheckHolds(t *testing.T) {
	for _, c := range []struct {
		compare      string
		truth, bound float64
		found        *float64
		holds        bool
	}{
		{CompareRelative, 100, 0.05, value(105), true},
		{CompareRelative, 100, 0.05, value(94.9), false},
		{CompareRelative, 0, 0.05, value(0.1), false},
		{CompareAbsolute, 16, 0, value(16), true},
		{CompareAbsolute, 16, 0, value(15), false},
		{CompareAbsolute, 1, 0.01, value(1.009), true},
		{CompareAbsolute, 1, 0.01, value(0.98), false},
		{CompareBelow, 1, 0, value(0.99), true},
		{CompareBelow, 1, 0, value(1), false},
		{CompareRelative, 100, 0.05, nil, false},
		{CompareBelow, 1, 0, nil, false},
	} {
		check := SelfCheck{Compare: c.compare, Truth: c.truth, Tolerance: c.bound, Found: c.found}
		if check.Holds() != c.holds {
			t.Errorf("%+v", c)
		}
	}
	if word := (&SelfCheck{Compare: CompareWord, TruthWord: "starved", FoundWord: "starved"}); !word.Holds() {
		t.Error("the same word is another")
	}
}

func TestSelfTestAsJSON(t *testing.T) {
	b, err := json.Marshal(selftest())
	if err != nil {
		t.Fatal(err)
	}
	var back SelfTest
	if err := json.Unmarshal(b, &back); err != nil || back.Markdown() != selftest().Markdown() {
		t.Errorf("it reads back as another: %v", err)
	}
	if !strings.Contains(string(b), `"found":null`) {
		t.Error("a figure that was not reported is not null")
	}
}
