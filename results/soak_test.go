package results

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// soakRecord is a record of n samples, five seconds apart; course makes each of them.
func soakRecord(n int, course func(i int, s *Soak)) *Record {
	rec := &Record{Run: Run{ID: "20261122-120000-soak", Soak: &SoakAsked{For: time.Duration(n) * 5 * time.Second, Every: 5 * time.Second, Rate: 2000, Foes: 50},
		Targets: []Target{{Name: "reactor", Kind: "core"}}}}
	for i := range n {
		goroutines := 17
		s := &Soak{At: time.Duration(i+1) * 5 * time.Second, Memory: 20 << 10, RSS: 30 << 10, Files: 300, Threads: 9, Goroutines: &goroutines, Answers: uint64(i+1) * 10_000, Churn: uint64(i+1) * 400}
		course(i, s)
		rec.Trials = append(rec.Trials, Trial{Kind: KindTrial, Scenario: "soak", Target: "reactor", Role: RoleSoak, Round: i + 1, Position: i + 1, Soak: s})
	}
	return rec
}

func TestSoakOf(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	noise := func(most uint64) uint64 { return rng.Uint64N(most + 1) }
	for name, test := range map[string]struct {
		samples int
		course  func(i int, s *Soak)
		grows   string // the figures that do
		holds   bool
	}{
		"flat":                   {180, func(int, *Soak) {}, "", true},
		"noisy":                  {180, func(_ int, s *Soak) { s.Memory += noise(6 << 10); s.Files += int(noise(100)) }, "", true},
		"warms up":               {180, func(i int, s *Soak) { s.Memory -= uint64(max(0, 50-i)) * 200 }, "", true},
		"a peak":                 {180, func(i int, s *Soak) { s.Memory += map[bool]uint64{i == 100: 500 << 10}[true] }, "", true},
		"falls":                  {180, func(i int, s *Soak) { s.Memory += uint64(200-i) * 100 }, "", true},
		"leaks 16 B an answer":   {180, func(i int, s *Soak) { s.Memory += s.Answers*16>>10 + noise(6<<10) }, "memory", false},
		"leaks files":            {180, func(i int, s *Soak) { s.Files += i / 2 }, "files", false},
		"leaks goroutines":       {180, func(i int, s *Soak) { n := 17 + i/5; s.Goroutines = &n }, "goroutines", false},
		"leaks a step late":      {180, func(i int, s *Soak) { s.Memory += map[bool]uint64{true: 100 << 10}[i > 120] }, "memory", false},
		"errors":                 {180, func(i int, s *Soak) { s.Errors, s.Example = uint64(i/100), "GET / was answered 500" }, "", false},
		"of one that tells less": {180, func(i int, s *Soak) { s.Goroutines = nil }, "", true},
		"cut short":              {9, func(i int, s *Soak) { s.Memory += uint64(i) << 20 }, "", true},
	} {
		rec := soakRecord(test.samples, test.course)
		s := SoakOf(rec)
		var grows []string
		for _, d := range s.Drifts {
			if d.Verdict == SoakGrows {
				grows = append(grows, d.Figure)
			}
		}
		if got := strings.Join(grows, ", "); got != test.grows || s.Holds != test.holds {
			t.Errorf("%s: %q grows, holds %v: %+v", name, got, s.Holds, s.Drifts)
		}
	}
	if s := SoakOf(soakRecord(0, nil)); s.Holds {
		t.Error("a soak without a sample holds")
	}
	if s := SoakOf(&Record{}); s != nil {
		t.Errorf("a run of another kind has %+v", s)
	}
}

func TestTheilSen(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	inside := 0
	for range 400 {
		var x, y []float64
		for i := range 40 {
			x, y = append(x, float64(i)), append(y, 3*float64(i)+10*rng.NormFloat64())
		}
		slope, lo, hi := theilSen(x, y)
		if slope < lo || slope > hi || math.Abs(slope-3) > 1 {
			t.Fatalf("slope %g (%g … %g)", slope, lo, hi)
		}
		if lo <= 3 && hi >= 3 {
			inside++
		}
	}
	if inside < 390 { // 99 % of 400 is 396
		t.Errorf("the interval holds the truth in %d of 400 cases", inside)
	}
	if slope, lo, hi := theilSen([]float64{1}, []float64{1}); slope != 0 || !math.IsInf(lo, -1) || !math.IsInf(hi, 1) {
		t.Errorf("one point has the slope %g (%g … %g)", slope, lo, hi)
	}
}

func TestSoakTable(t *testing.T) {
	flat := soakRecord(60, func(int, *Soak) {})
	golden(t, "soak.txt", []byte(SoakText(flat, 120, false)))
	leaks := soakRecord(60, func(i int, s *Soak) { s.Memory += uint64(i) << 10 })
	leaks.Run.Scenarios = []Scenario{{Name: "soak", Question: "Does anything grow?"}}
	files, err := Report(leaks)
	if err != nil {
		t.Fatal(err)
	}
	if md := string(files[ReportFile]); !strings.Contains(md, "It does not hold: something grows.") || !strings.Contains(md, "| memory | grows |") {
		t.Errorf("the report says:\n%s", md)
	}
	broken := soakRecord(3, func(int, *Soak) {})
	broken.Trials = append(broken.Trials, Trial{Role: RoleSoak, Error: "the server ended during the soak"})
	if text := fmt.Sprint(SoakText(broken, 120, false)); !strings.Contains(text, "does not hold: the server ended") || !strings.Contains(text, SoakShort) {
		t.Errorf("a soak whose server died says:\n%s", text)
	}
}
