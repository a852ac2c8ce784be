package results

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const kneeBudget = 5 * time.Millisecond

// kneeTrial is a trial at a rate with a p99, changed by f.
func kneeTrial(target string, rate float64, p99 time.Duration, f func(*Trial)) Trial {
	t := Trial{Kind: KindTrial, Scenario: "plaintext", Case: "rate=" + formatCount(rate), Target: target, Role: RoleKnee, Placement: PlacementSplit,
		Load: &Load{Generator: "corelab", Loop: LoopOpen, Rate: rate, Elapsed: time.Second, Requests: uint64(rate), Connections: 64, Depth: 1,
			Latency: &Latency{Count: uint64(rate), P99: p99}}}
	if f != nil {
		f(&t)
	}
	return t
}

func disturbedTrial(t *Trial) {
	t.Warnings = []Warning{{WarnSteal, "other processes took 30 % of the CPU"}}
}

func TestKneeOutcome(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name string
		p99  time.Duration
		f    func(*Trial)
		want string
	}{
		{"within", 5 * ms, nil, KneePasses},
		{"above", 5*ms + 1, nil, KneeFails},
		{"within, though the generator was late", 4 * ms, func(t *Trial) { t.Load.LateOwn = 500 }, KneePasses},
		{"above, and the generator was late", 9 * ms, func(t *Trial) { t.Load.LateOwn = 500 }, KneeGenerator},
		{"above, and answers lay unread", 9 * ms, func(t *Trial) { t.Load.Behind, t.Load.Waited = 500*ms, 10*ms }, KneeGenerator},
		{"above, and the server was waited for", 9 * ms, func(t *Trial) { t.Load.Behind, t.Load.Waited = 500*ms, 300*ms }, KneeFails},
		{"quick, but not all were answered", ms, func(t *Trial) { t.Load.Errors.Timeout = 200 }, KneeFails},
		{"quick, but not all were sent", ms, func(t *Trial) { t.Load.Unsent = 200 }, KneeFails},
		{"a few were lost", ms, func(t *Trial) { t.Load.Errors.Read = 20 }, KneePasses},
		{"disturbed, and quick all the same", ms, disturbedTrial, KneeDisturbed},
		{"disturbed and slow", 9 * ms, disturbedTrial, KneeDisturbed},
		{"a wrong byte", ms, func(t *Trial) { t.Load.Errors.Body = 1 }, KneeBroken},
		{"failed", ms, func(t *Trial) { t.Error = "it ended" }, KneeBroken},
		{"too few answers", ms, func(t *Trial) { t.Load.Latency.Count = 999 }, KneeBroken},
		{"no load", ms, func(t *Trial) { t.Load = nil }, KneeBroken},
	}
	for _, tt := range tests {
		trial := kneeTrial("q", 10_000, tt.p99, tt.f)
		got, reason := KneeOutcome(&trial, kneeBudget)
		if got != tt.want || (reason == "") != (got == KneePasses) {
			t.Errorf("%s: %s (%q), want %s", tt.name, got, reason, tt.want)
		}
	}
}

// p, f, g and d are trials that pass, fail, are the generator's fault, or are disturbed.
func TestVotes(t *testing.T) {
	for votes, want := range map[string]string{
		"p": "", "pp": KneePasses, "ff": KneeFails, "pf": "", "pfp": KneePasses, "pff": KneeFails, "fg": "", "ffgg": "", "pfpf": "",
		"gg": KneeGenerator, "pfpfg": KneeFails, "ppffg": KneeFails, "pgpg": "", "ddp": "", "dd": "", "ddpp": KneePasses, "ddd": KneePasses,
	} {
		var trials []*Trial
		for _, v := range votes {
			trial := kneeTrial("q", 10_000, time.Millisecond, map[rune]func(*Trial){
				'p': nil, 'f': func(t *Trial) { t.Load.Latency.P99 = time.Second }, 'd': disturbedTrial,
				'g': func(t *Trial) { t.Load.Latency.P99, t.Load.LateOwn = time.Second, 1000 },
			}[v])
			trials = append(trials, &trial)
		}
		r := kneeRate(trials, kneeBudget)
		if r.Outcome != want || r.Disturbed != strings.Count(votes, "d") || r.Doubtful != (votes == "ddd") {
			t.Errorf("%s: %+v, want %q", votes, r, want)
		}
	}
}

// kneeRecord has a target with a knee, one that the generator could not bring there, one whose time was up, and one that failed.
func kneeRecord() *Record {
	rec := &Record{Run: Run{Kind: KindRun, Schema: Schema, ID: "20261122-080000-knee", Command: []string{"corelab", "knee"},
		Scenarios: []Scenario{{Name: "plaintext", Question: "What is the highest rate at which the p99 stays within 5ms?"}},
		Targets:   []Target{{Name: "sound"}, {Name: "fast"}, {Name: "hasty"}, {Name: "dead"}},
		Knee:      &KneeAsked{P99: kneeBudget, Precision: 0.025, Max: time.Minute, Window: time.Second}}}
	add := func(n int, t Trial) {
		for range n {
			rec.Trials = append(rec.Trials, t)
		}
	}
	late := func(t *Trial) { t.Load.LateOwn = t.Load.Requests / 10 }
	for _, t := range rec.Run.Targets {
		add(1, Trial{Kind: KindTrial, Scenario: "plaintext", Case: "ceiling", Target: t.Name, Role: RoleCeiling,
			Load: &Load{Generator: "corelab", Loop: LoopClosed, Connections: 64, Elapsed: time.Second, Requests: 20_000}})
	}
	add(2, kneeTrial("sound", 15_000, 2*time.Millisecond, nil))
	add(3, kneeTrial("sound", 18_000, 4*time.Millisecond, nil))
	add(1, kneeTrial("sound", 18_000, 40*time.Millisecond, disturbedTrial))
	add(3, kneeTrial("sound", 18_400, 7*time.Millisecond, nil))
	add(2, kneeTrial("fast", 15_000, time.Millisecond, nil))
	add(2, kneeTrial("fast", 18_000, 9*time.Millisecond, late))
	add(2, kneeTrial("hasty", 15_000, time.Millisecond, nil))
	add(2, kneeTrial("hasty", 18_000, 9*time.Millisecond, nil))
	add(1, kneeTrial("dead", 15_000, 0, func(t *Trial) { t.Load, t.Error = nil, "start dead: it ended before it accepted" }))
	rec.End = &End{Kind: KindEnd, Trials: len(rec.Trials)}
	return rec
}

func TestKnees(t *testing.T) {
	rec := kneeRecord()
	ks := Knees(rec)
	want := []string{"18,000", "≥ 15,000", "15,000", Dash}
	for i, k := range ks {
		if k.String() != want[i] {
			t.Errorf("%s: %s, want %s: %+v", k.Target, k, want[i], ks[i])
		}
	}
	if s := ks[0]; !s.Confirmed || s.Fails != 18_400 || s.P99 != 4*time.Millisecond || s.LeftOut != 1 || s.Trials != 9 || s.Ceiling != 20_000 {
		t.Errorf("%+v", s)
	}
	if ks[1].Confirmed || ks[2].Confirmed || ks[3].Error == "" {
		t.Errorf("%+v", ks[1:])
	}
	if Knees(&Record{}) != nil {
		t.Error("a run of another kind has knees")
	}
	golden(t, "knee.txt", []byte(KneeText(rec, 120, false)))
	files, err := Report(rec)
	if err != nil || !strings.Contains(string(files[ReportFile]), "the rates that were tried") || slices.Contains(strings.Split(string(files[ReportFile]), "\n"), "### rate=15,000") {
		t.Errorf("the report: %v\n%s", err, files[ReportFile])
	}
}
