package results

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// play is a comparison whose truth is known, as a record.
type play struct {
	blocks, windows int
	server          [2]float64 // CPU per request, ns
	generator       [2]float64 // likewise
	noise           float64    // of the machine's speed, from block to block
	ballast         [2]float64
	edit            func(*Record)
}

func (p play) record() *Record {
	rng := rand.New(rand.NewPCG(4, 2))
	rec := &Record{Run: Run{
		ID: "20261122-101500-compare", Seed: 7, Commit: "abc",
		Scenarios: []Scenario{{Name: "plaintext", Load: "GET /plaintext, closed loop, 64 connections, placement one, by corelab"}},
		Targets:   []Target{{Name: "A: reactor", Command: []string{"coreserver", "--core", "reactor"}}, {Name: "B: reactor --x", Command: []string{"coreserver", "--core", "reactor", "--x"}}},
		Compare:   &Compare{Precision: 0.01, Max: time.Minute, Windows: p.windows, Window: 125 * time.Millisecond, Ballast: p.ballast},
	}, End: &End{Elapsed: 31 * time.Second}}
	for b := range p.blocks {
		speed := math.Exp(p.noise * rng.NormFloat64())
		for w := range 2 * p.windows {
			rec.Trials = append(rec.Trials, p.window(rng, rec.Run.Targets, b+1, w, speed))
		}
	}
	if p.edit != nil {
		p.edit(rec)
	}
	return rec
}

// window is one of A or of B, in turn.
func (p play) window(rng *rand.Rand, targets []Target, block, w int, speed float64) Trial {
	side, long := w%2, 125*time.Millisecond
	server := p.server[side] * speed * (1 + 0.002*rng.NormFloat64())
	generator := p.generator[side] * speed * (1 + 0.002*rng.NormFloat64())
	n := uint64(float64(long) / (server + generator))
	mean := time.Duration(64 * float64(long) / float64(n))
	return Trial{
		Scenario: "plaintext", Target: targets[side].Name, Role: RoleCompared, Round: block, Placement: PlacementOne,
		Load: &Load{Generator: "corelab", Loop: LoopClosed, Connections: 64, Depth: 1, Elapsed: long, Requests: n,
			Latency: &Latency{Count: n, Mean: mean, P50: mean, P90: mean, P99: 2 * mean, Max: 3 * mean}},
		Server: &Usage{Elapsed: long, CPU: time.Duration(server * float64(n)), PeakRSSKiB: 6000},
		Client: &Usage{Elapsed: long, CPU: time.Duration(generator * float64(n))},
	}
}

var plain = play{blocks: 16, windows: 4, server: [2]float64{6000, 6000}, generator: [2]float64{5500, 5500}, noise: 0.05}

func with(change func(*play)) play {
	p := plain
	change(&p)
	return p
}

func compared(t *testing.T, p play) *Comparison {
	t.Helper()
	c, err := Compared(p.record())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestVerdicts(t *testing.T) {
	for name, tt := range map[string]struct {
		play            play
		cpu, throughput string
		basis           string
		ratio           float64
	}{
		"the same":                     {plain, NoDifference, NoDifference, BasisShare, 1},
		"3 % worse":                    {with(func(p *play) { p.server[1] = 6180 }), Worse, Worse, BasisShare, 1.03},
		"half the cost":                {with(func(p *play) { p.server[1] = 3000 }), Better, Better, BasisShare, 0.5},
		"dearer for the generator too": {with(func(p *play) { p.server[1], p.generator[1] = 6600, 6050 }), Worse, Worse, BasisPlain, 1.1},
		"a little dearer for the generator, but proven": {with(func(p *play) { p.generator[1] = 5610; p.noise = 0 }), NoDifference, Worse, BasisBoth, 0.99},
		"dearer, and a little for the generator too":    {with(func(p *play) { p.server[1], p.generator[1] = 6300, 5580; p.noise = 0 }), Worse, Worse, BasisBoth, 1.043},
		"too few blocks": {with(func(p *play) { p.blocks = MinBlocks - 1 }), NoVerdict, NoVerdict, BasisShare, 1},
		"nothing":        {with(func(p *play) { p.blocks = 0 }), NoVerdict, NoVerdict, BasisShare, 0},
	} {
		c := compared(t, tt.play)
		cpu, through := c.Find(CompareCPU), c.Find(CompareThroughput)
		if cpu.Verdict != tt.cpu || through.Verdict != tt.throughput || cpu.Basis != tt.basis || math.Abs(cpu.Ratio-tt.ratio) > 0.003 {
			t.Errorf("%s: CPU %s by %s, %.4f; throughput %s", name, cpu.Verdict, cpu.Basis, cpu.Ratio, through.Verdict)
		}
		if (cpu.Lo == nil) != (tt.cpu == NoVerdict) || cpu.Lo == nil && cpu.Why == "" {
			t.Errorf("%s: interval %v, %q", name, cpu.Lo, cpu.Why)
		}
	}
}

// TestLeftOut takes windows out: they must change nothing but the counts.
func TestLeftOut(t *testing.T) {
	spoil := func(tr *Trial) {
		tr.Warnings = append(tr.Warnings, Warning{WarnSteal, "something else took 40 % of the CPU"})
		tr.Server.CPU *= 5
	}
	c := compared(t, with(func(p *play) {
		p.edit = func(rec *Record) {
			spoil(&rec.Trials[0])
			spoil(&rec.Trials[9])
			for w := range 4 { // all of A's in the third block
				spoil(&rec.Trials[16+2*w])
			}
			rec.Trials = rec.Trials[:len(rec.Trials)-3] // the last block was cut short
		}
	}))
	cpu := c.Find(CompareCPU)
	if c.Blocks != 15 || c.Dropped != 1 || c.LeftOut != 6 || c.LeftOutA != 5 || c.LeftOutB != 1 || c.Windows != 120 {
		t.Errorf("%+v", c)
	}
	if cpu.Blocks != 14 || cpu.LeftOut != 10 || cpu.Verdict != NoDifference || math.Abs(cpu.Ratio-1) > 0.002 {
		t.Errorf("%+v", cpu)
	}
}

func TestTruth(t *testing.T) {
	c := compared(t, with(func(p *play) { p.server[1], p.ballast[1] = 6180, 180 }))
	cpu := c.Find(CompareCPU)
	if cpu.Truth == nil || math.Abs(*cpu.Truth-1.03) > 0.001 || cpu.Covered == nil || !*cpu.Covered {
		t.Errorf("%+v", cpu)
	}
	if c = compared(t, with(func(p *play) { p.ballast[1] = 600 })); *c.Find(CompareCPU).Covered {
		t.Error("the interval holds what is not there")
	}
	if c = compared(t, with(func(p *play) { p.ballast = [2]float64{200, 200} })); c.Find(CompareCPU).Truth != nil {
		t.Error("the same ballast in both has a truth")
	}
}

func TestEnded(t *testing.T) {
	for want, edit := range map[string]func(*Record){
		"precise":     func(r *Record) { r.Run.Compare.Precision = 0.5 },
		"time":        func(r *Record) { r.Run.Compare.Precision = 0 },
		"interrupted": func(r *Record) { r.End.Interrupted = true },
		"failed": func(r *Record) {
			r.Trials = append(r.Trials, Trial{Target: "B: reactor --x", Role: RoleCompared, Round: 17, Error: "the server ended during the trial"})
		},
	} {
		c := compared(t, with(func(p *play) { p.edit = edit }))
		if c.Ended != want || (c.Error == "B: reactor --x: the server ended during the trial") != (want == "failed") || c.Blocks != 16 {
			t.Errorf("%s: %s, %q, %d blocks", want, c.Ended, c.Error, c.Blocks)
		}
	}
	killed := plain.record()
	killed.End = nil
	if c, err := Compared(killed); err != nil || c.Ended != "interrupted" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := Compared(sample(t)); err == nil {
		t.Error("a bench is taken for a comparison")
	}
}

// TestLooks finds that the width is looked at after every fourth block only, and that neither ratio nor verdict counts.
func TestLooks(t *testing.T) {
	for blocks, want := range map[int]bool{11: false, 12: true, 13: false, 15: false, 16: true, 20: true} {
		for _, cost := range []float64{3000, 6000, 9000} {
			c := compared(t, with(func(p *play) {
				p.blocks, p.noise, p.server[1] = blocks, 0, cost
				p.edit = func(r *Record) { r.Run.Compare.Precision = 0.05 }
			}))
			if c.Precise() != want {
				t.Errorf("%d blocks, %v: %v", blocks, cost, c.Precise())
			}
		}
	}
}

func TestFails(t *testing.T) {
	for _, tt := range []struct {
		server float64
		part   float64
		want   int
	}{
		{6000, 0.0, 0}, {6180, 0.02, 1}, {6180, 0.01, 2}, {6180, 0.04, 0}, {5000, 0.02, 0},
	} {
		c := compared(t, with(func(p *play) { p.server[1], p.noise = tt.server, 0.001 }))
		if got := c.Fails(tt.part); len(got) != tt.want {
			t.Errorf("%v at %v: %+v", tt.server, tt.part, got)
		}
	}
}

func TestCompareGoldens(t *testing.T) {
	worse := with(func(p *play) {
		p.blocks, p.server[1], p.ballast[1] = 24, 6180, 180
		p.edit = func(rec *Record) {
			for i := range 40 {
				rec.Trials[i].Warnings = []Warning{{WarnSteal, "something else took 9 % of the CPU"}}
			}
			rec.Trials[41].Warnings = []Warning{{WarnHead, "the reply's head has 90 bytes, that of A 131"}}
			for i := range rec.Trials {
				rec.Trials[i].Load.Latency.Count = 900
			}
		}
	})
	for name, p := range map[string]play{"same": plain, "worse": worse, "short": with(func(p *play) { p.blocks = 3 })} {
		c := compared(t, p)
		golden(t, "compare-"+name+".txt", []byte(CompareText(c)))
		b, err := json.MarshalIndent(c, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "compare-"+name+".json", append(b, '\n'))
		again, _ := json.MarshalIndent(compared(t, p), "", "\t")
		if !bytes.Equal(b, again) {
			t.Error("the same record gives two answers")
		}
		if strings.Contains(string(b), "NaN") {
			t.Error(string(b))
		}
	}
}
