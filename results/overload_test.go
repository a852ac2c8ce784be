package results

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// queue is a server that does one request at a time, in the order in which they were due, and takes as long for each. The
// client gives a request up that waited for longer than the time-out, and no answer counts that came later than that.
type queue struct {
	serves  float64       // per second
	timeOut time.Duration //
	extra   time.Duration // of each request, without keeping others from being served
}

// trial is what the generator would record of a burst on the queue.
func (q queue) trial(target string, percent int, before, burst, after time.Duration) Trial {
	const slice = 50 * time.Millisecond
	base := q.serves / 2
	l := &Load{Generator: "corelab", Loop: LoopOpen, Connections: 128, Depth: 1, Arrival: "constant", Elapsed: before + burst + after,
		Phases: []Phase{{Name: PhaseBefore, Rate: base, Elapsed: before}, {Name: PhaseBurst, Rate: q.serves * float64(percent) / 100, Elapsed: burst},
			{Name: PhaseAfter, Rate: base, Elapsed: after}}}
	l.Slices = make([]Slice, l.Elapsed/slice)
	waits := make([][]time.Duration, len(l.Slices))
	for i := range l.Slices {
		l.Slices[i].Begin = time.Duration(i) * slice
	}
	var free, begin time.Duration
	ends := []time.Duration{before, before + burst, l.Elapsed}
	for i := range l.Phases {
		p := &l.Phases[i]
		var all []time.Duration
		for n := 0; ; n++ {
			due := begin + time.Duration(float64(n)/p.Rate*1e9)
			if due >= ends[i] {
				break
			}
			s := &l.Slices[min(int(due/slice), len(l.Slices)-1)]
			p.Due++
			s.Due++
			start := max(free, due)
			if start-due > q.timeOut {
				p.Unsent++
				continue
			}
			free = start + time.Duration(1e9/q.serves)
			took := free + q.extra - due
			all = append(all, took)
			waits[min(int(due/slice), len(l.Slices)-1)] = append(waits[min(int(due/slice), len(l.Slices)-1)], took)
			if start-due > time.Millisecond {
				p.Late++
				p.Behind += time.Duration(1e9 / q.serves)
				p.Waited += time.Duration(0.5e9 / q.serves)
			}
			if took > q.timeOut {
				p.Errors.Timeout++
				continue
			}
			p.Answered++
			s.Answered++
			for j := range ends {
				if due+took < ends[j] {
					l.Phases[j].Served++
					break
				}
			}
		}
		p.Behind, p.Waited = min(p.Behind, p.Elapsed), min(p.Waited, p.Elapsed/2)
		slices.Sort(all)
		if len(all) > 0 {
			p.Latency = &Latency{Count: uint64(len(all)), P99: all[len(all)*99/100], Max: all[len(all)-1]}
		}
		l.Requests += p.Answered
		l.Errors.Timeout += p.Errors.Timeout
		l.Unsent += p.Unsent
		begin = ends[i]
	}
	for i, w := range waits {
		slices.Sort(w)
		if len(w) > 0 {
			l.Slices[i].P50, l.Slices[i].P99, l.Slices[i].Max = w[len(w)/2], w[len(w)*99/100], w[len(w)-1]
		}
	}
	return Trial{Kind: KindTrial, Scenario: "overload", Case: fmt.Sprintf("percent=%d", percent), Target: target, Round: 1, Placement: PlacementSplit, Load: l}
}

func burstOf(percent int) Trial {
	return queue{serves: 10_000, timeOut: 500 * time.Millisecond}.trial("q", percent, 600*time.Millisecond, time.Second, 2400*time.Millisecond)
}

// What a queue does is known: the backlog of a burst at P times the ceiling for D is (P − 1)·D of work, and goes at half of
// the ceiling in twice that.
func TestRecovery(t *testing.T) {
	for _, tt := range []struct {
		percent int
		want    time.Duration
	}{{50, 0}, {75, 0}, {100, 0}, {125, 500 * time.Millisecond}, {140, 800 * time.Millisecond}} {
		trial := burstOf(tt.percent)
		got, why := trial.Recovered()
		if d := got - tt.want; why != "" || d < -50*time.Millisecond || d > 50*time.Millisecond {
			t.Errorf("%d %%: recovered after %v (%s), want %v", tt.percent, got, why, tt.want)
		}
	}
	short := queue{serves: 10_000, timeOut: time.Second}.trial("q", 200, 500*time.Millisecond, time.Second, 1500*time.Millisecond)
	if _, why := short.Recovered(); !strings.HasPrefix(why, "did not recover within 1.5s") {
		t.Errorf("with half a second too little: %q", why)
	}
	ill := burstOf(150)
	ill.Load.Phases[0].Answered -= ill.Load.Phases[0].Due / 50
	if _, why := ill.Recovered(); !strings.HasPrefix(why, "it was not well before") {
		t.Errorf("ill before the burst: %q", why)
	}
	lost := burstOf(100)
	for i := range lost.Load.Slices {
		if i%3 == 0 && lost.Load.Slices[i].Begin > 1600*time.Millisecond {
			lost.Load.Slices[i].Answered-- // never three in a row
		}
	}
	if d, why := lost.Recovered(); why == "" && d > 0 {
		t.Errorf("recovered after %v in spite of a lost answer in each third slice", d)
	}
	if _, why := (&Trial{Load: &Load{}}).Recovered(); why == "" {
		t.Error("a trial without a burst recovered")
	}
}

func TestLimitOfBurst(t *testing.T) {
	change := func(percent int, f func(*Phase)) *Trial {
		trial := burstOf(percent)
		f(&trial.Load.Phases[1])
		return &trial
	}
	tests := []struct {
		name  string
		trial *Trial
		want  Kind
	}{
		{"half of the ceiling", change(50, func(*Phase) {}), RateBound},
		{"twice the ceiling", change(200, func(*Phase) {}), ServerBound},
		{"late though a connection was free", change(50, func(p *Phase) { p.LateOwn = p.Due / 50 }), GeneratorBound},
		{"answers lay unread all the time", change(200, func(p *Phase) { p.Waited = p.Behind / 20 }), GeneratorBound},
		{"lost, though connections were free", change(50, func(p *Phase) { p.Answered--; p.Errors.Read++ }), ServerBound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kind, reason := limitOfBurst(tt.trial)
			if kind != tt.want || reason == "" {
				t.Errorf("%s (%s), want %s", kind, reason, tt.want)
			}
			bounded := slices.ContainsFunc(Check(tt.trial), func(w Warning) bool { return w.Code == WarnGenerator })
			if bounded != (kind == GeneratorBound) {
				t.Errorf("warnings %v", Check(tt.trial))
			}
		})
	}
	// What an overload does is no flaw of the trial, but a wrong answer is one.
	flood := burstOf(200)
	if ws := Check(&flood); len(ws) > 0 || flood.Load.Unsent == 0 {
		t.Errorf("%d unsent, warnings %v", flood.Load.Unsent, ws)
	}
	flood.Load.Errors.Body = 1
	if ws := Check(&flood); len(ws) != 1 || ws[0].Code != WarnErrors {
		t.Errorf("a wrong byte: %v", ws)
	}
}

// overloaded is a record of three targets: one holds its ceiling, one loses half of it in a burst, one could not be loaded
// enough; and one that lacks what it takes.
func overloaded() *Record {
	rec := &Record{Run: Run{Kind: KindRun, Schema: Schema, ID: "20261122-080000-bench", Command: []string{"corelab", "bench", "overload"},
		Scenarios: []Scenario{{Name: "overload", Question: "What does a burst beyond the ceiling cost?", Cases: []string{"percent=200", "percent=75", "percent=150"}}},
		Targets:   []Target{{Name: "steady", Kind: "core"}, {Name: "weak", Kind: "core"}, {Name: "fast", Kind: "peer"}, {Name: "lame", Kind: "core"}}}}
	add := func(t Trial, round int) {
		t.Round = round
		rec.Trials = append(rec.Trials, t)
	}
	for target, serves := range map[string]float64{"steady": 10_000, "weak": 6_000, "fast": 20_000} {
		add(Trial{Kind: KindTrial, Scenario: "overload", Case: "ceiling", Target: target, Role: RoleCeiling, Placement: PlacementSplit,
			Load: &Load{Generator: "corelab", Loop: LoopClosed, Connections: 128, Depth: 1, Elapsed: time.Second, Requests: uint64(serves)}}, 1)
	}
	slices.SortFunc(rec.Trials, func(a, b Trial) int { return strings.Compare(a.Target, b.Target) })
	for _, percent := range []int{200, 75, 150} {
		for round := 1; round <= 2; round++ {
			phases := []time.Duration{600 * time.Millisecond, time.Second, 2400 * time.Millisecond}
			add(queue{serves: 10_000, timeOut: 500 * time.Millisecond, extra: time.Millisecond}.trial("steady", percent, phases[0], phases[1], phases[2]), round)
			weak := queue{serves: 6_000, timeOut: 500 * time.Millisecond}.trial("weak", percent, phases[0], phases[1], phases[2])
			if percent == 200 {
				weak.Load.Phases[1].Served /= 2
				for i := range weak.Load.Slices {
					weak.Load.Slices[i].P99 += time.Duration(i) * time.Millisecond
				}
			}
			add(weak, round)
			fast := queue{serves: 20_000, timeOut: 500 * time.Millisecond}.trial("fast", percent, phases[0], phases[1], phases[2])
			if percent > 100 {
				fast.Load.Phases[1].LateOwn = fast.Load.Phases[1].Due / 3
			}
			add(fast, round)
		}
		add(Trial{Kind: KindTrial, Scenario: "overload", Case: fmt.Sprintf("percent=%d", percent), Target: "lame", Placement: PlacementSplit, Skipped: "lacks keep-alive: closes after each answer"}, 1)
	}
	rec.End = &End{Kind: KindEnd, Trials: len(rec.Trials)}
	return rec
}

func TestOverloadReport(t *testing.T) {
	rec := overloaded()
	files, err := Report(rec)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"overload-over-rate.svg", "overload-over-time.svg"} {
		golden(t, "overload/"+name, files[name])
	}
	var d document
	addScenario(&d, rec, rec.Run.Scenarios[0], Cells(rec), map[string][]byte{})
	golden(t, "overload/section.md", []byte(d.markdown()))
	golden(t, "overload/section.txt", []byte(d.terminal(160, false)))
	if again, err := Report(overloaded()); err != nil || string(again[ReportFile]) != string(files[ReportFile]) {
		t.Errorf("the same record gives another report (%v)", err)
	}
}
