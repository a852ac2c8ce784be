package results

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// busyCell is n rounds of a closed loop of 64 connections in which server and generator used these parts of their CPUs, each
// on one of its own, and nothing is wrong; change is told the number of the round from 0.
func busyCell(placement string, server, client float64, n int, change func(i int, t *Trial)) *Cell {
	c := &Cell{Key: Key{Scenario: "plaintext", Target: "x", Generator: generatorOwn, Loop: LoopClosed, Placement: placement}}
	where, seats := [2]string{"1", "0"}, []Seat{{Of: SeatServer, CPUs: "1"}, {Of: SeatClient, CPUs: "0"}}
	if placement == PlacementOne {
		where, seats = [2]string{"1", "1"}, []Seat{{Of: SeatBoth, CPUs: "1"}}
	}
	for i := range n {
		t := closed(64, 10000)
		t.Scenario, t.Target, t.Round, t.Placement, t.Load.Generator = c.Scenario, c.Target, i+1, placement, generatorOwn
		t.Load.Elapsed, t.Load.Requests, t.Load.Latency.Count = time.Second, 10000, 10000
		t.Server = &Usage{Elapsed: time.Second, CPU: time.Duration(server * 1e9), Affinity: where[0]}
		t.Client = &Usage{Elapsed: time.Second, CPU: time.Duration(client * 1e9), Affinity: where[1]}
		t.Machine = &Machine{Seats: append([]Seat(nil), seats...)}
		if change != nil {
			change(i, t)
		}
		t.Warnings = append(t.Warnings, Check(t)...)
		c.Trials = append(c.Trials, t)
	}
	c.Loop = c.Trials[0].Load.Loop
	return c
}

// opened makes an open loop of a closed one, of 10,000 requests a second, which were all sent in time.
func opened(_ int, t *Trial) { t.Load.Loop, t.Load.Rate = LoopOpen, 10000 }

// TestCellVerdicts has a cell for each rule, and for what is nearly one.
func TestCellVerdicts(t *testing.T) {
	plain := func(placement string, server, client float64) *Cell {
		return busyCell(placement, server, client, 6, nil)
	}
	with := func(change func(i int, t *Trial)) *Cell { return busyCell(PlacementSplit, 0.97, 0.60, 6, change) }
	for name, tt := range map[string]struct {
		cell *Cell
		kind Kind
		says []string
	}{
		"the server's CPU is used up":       {plain(PlacementSplit, 0.97, 0.60), ServerBound, []string{"server 97 % of CPU 1, generator 60 % of CPU 0"}},
		"the generator's is":                {plain(PlacementSplit, 0.60, 0.97), GeneratorBound, []string{"server 60 % of CPU 1, generator 97 % of CPU 0"}},
		"both, the server more":             {plain(PlacementSplit, 0.98, 0.92), ServerBound, nil},
		"both, the generator more":          {plain(PlacementSplit, 0.92, 0.98), GeneratorBound, nil},
		"both, nobody more":                 {plain(PlacementSplit, 0.97, 0.96), GeneratorBound, nil},
		"neither":                           {plain(PlacementSplit, 0.40, 0.60), IdleWaiting, []string{"neither is busy"}},
		"nearly":                            {plain(PlacementSplit, 0.89, 0.89), IdleWaiting, nil},
		"a shared CPU used up":              {plain(PlacementOne, 0.50, 0.48), ServerBound, []string{"together", "cost of a request decides"}},
		"a shared CPU, mostly by the other": {plain(PlacementOne, 0.20, 0.78), GeneratorBound, []string{"20 % is the server's"}},
		"a shared CPU, a third the server":  {plain(PlacementOne, 0.34, 0.64), ServerBound, nil},
		"a shared CPU that has room":        {plain(PlacementOne, 0.40, 0.40), IdleWaiting, nil},
		"one thread of many CPUs": {with(func(_ int, t *Trial) {
			t.Server.Affinity, t.Server.CPU, t.Server.Busiest = "1-3", 980*time.Millisecond, 970*time.Millisecond
		}), ServerBound, []string{"server 33 % of CPU 1-3", "busiest thread 97 % of one"}},
		"many threads of many CPUs": {with(func(_ int, t *Trial) {
			t.Server.Affinity, t.Server.CPU, t.Server.Busiest = "1-3", 980*time.Millisecond, 300*time.Millisecond
		}), IdleWaiting, nil},
		"what others took is not there to be used": {with(func(_ int, t *Trial) {
			t.Server.CPU, t.Machine.Seats[0].Others, t.Machine.Seats[0].Steal = 880*time.Millisecond, 30*time.Millisecond, 10*time.Millisecond
		}), ServerBound, []string{"server 92 %"}},

		"a connection that was never answered": {with(func(i int, t *Trial) { t.Load.Starved = i / 5 }), Starved, []string{"1 of 64 connections", "in 1 of 6 rounds"}},
		"and its time-outs":                    {with(func(_ int, t *Trial) { t.Load.Starved, t.Load.Errors.Timeout = 16, 16 }), Starved, []string{"16 of 64", "16 time-out", "Little's law"}},
		"and wrong answers":                    {with(func(_ int, t *Trial) { t.Load.Starved, t.Load.Errors.Body = 16, 1 }), Erroneous, []string{"1 body", "16 of 64"}},
		"one wrong byte":                       {with(func(i int, t *Trial) { t.Load.Errors.Body = uint64(i / 5) }), Erroneous, []string{"1 body", "in 1 of 6"}},
		"lost answers":                         {with(func(_ int, t *Trial) { t.Load.Errors.Read = 3 }), Erroneous, []string{"3 read"}},
		"a trial that failed":                  {with(func(i int, t *Trial) { t.Error = strings.Repeat("the server ended", i/5) }), Erroneous, []string{"failed in 1 of 6"}},
		"a server that died":                   {with(func(_ int, t *Trial) { t.Warnings = []Warning{{WarnDied, "killed"}} }), Erroneous, []string{"killed"}},
		"Little's law broken":                  {with(func(i int, t *Trial) { t.Load.Latency.Mean *= time.Duration(1 + i%2) }), Erroneous, []string{"Little's law"}},
		"broken once":                          {with(func(i int, t *Trial) { t.Load.Latency.Mean *= time.Duration(1 + i/5) }), ServerBound, nil},
		"not pinned":                           {with(func(_ int, t *Trial) { t.Warnings = []Warning{{WarnPlacement, "no"}} }), Erroneous, nil},
		"a newer corelab's warning":            {with(func(_ int, t *Trial) { t.Warnings = []Warning{{"of-a-newer-corelab", "no"}} }), Erroneous, nil},

		"disturbed in half of the rounds": {with(taken(func(i int) bool { return i < 3 })), ServerBound, nil},
		"disturbed in more":               {with(taken(func(i int) bool { return i < 4 })), TooNoisy, []string{"4 of 6 rounds"}},
		"disturbed in all":                {with(taken(func(int) bool { return true })), TooNoisy, []string{"6 of 6 rounds"}},
		"the law is broken where others had the CPU": {with(func(i int, t *Trial) {
			taken(func(i int) bool { return i < 3 })(i, t)
			if i < 3 {
				t.Load.Latency.Mean, t.Load.Starved, t.Load.Errors.Timeout = 2*t.Load.Latency.Mean, 3, 5
			}
		}), ServerBound, nil},
		"a wrong byte is wrong, whoever had the CPU": {with(func(i int, t *Trial) {
			taken(func(i int) bool { return i < 3 })(i, t)
			if i < 3 {
				t.Load.Errors.Body = 1
			}
		}), Erroneous, []string{"1 body"}},
		"starved in all rounds, of the CPU": {with(func(i int, t *Trial) {
			taken(func(int) bool { return true })(i, t)
			t.Load.Starved = 3
		}), TooNoisy, nil},
		"a cost that nobody knows": {with(func(i int, t *Trial) { t.Client.CPU *= time.Duration(1 + 2*(i%2)) }), TooNoisy,
			[]string{"server CPU ÷ generator CPU", "50 %"}},
		"a machine that changes its speed": {with(func(i int, t *Trial) {
			t.Load.Requests, t.Load.Latency.Mean = t.Load.Requests*uint64(1+i), t.Load.Latency.Mean/time.Duration(1+i)
		}), ServerBound, nil},
		"nobody knows who was busy": {with(func(_ int, t *Trial) {
			t.Server, t.Missing = nil, []Missing{{"server", "permission denied"}}
		}), TooNoisy, []string{"permission denied"}},

		"an open loop that met its rate": {busyCell(PlacementSplit, 0.30, 0.20, 6, opened), RateBound, []string{"10,000/s", "server 30 %"}},
		"and was busy":                   {busyCell(PlacementSplit, 0.95, 0.20, 6, opened), RateBound, nil},
		"an open loop of too slow a server": {busyCell(PlacementSplit, 0.97, 0.20, 6, late), ServerBound,
			[]string{"not met in time", "server 97 %"}},
		"of too slow a generator": {busyCell(PlacementSplit, 0.30, 0.98, 6, late), GeneratorBound, nil},
		"of a machine that wakes late": {busyCell(PlacementSplit, 0.30, 0.20, 6, func(i int, t *Trial) {
			opened(i, t)
			t.Load.Late = 300
		}), RateBound, []string{"all but 3.0 %"}},
		"of too few connections": {busyCell(PlacementSplit, 0.30, 0.20, 6, late), IdleWaiting, nil},
		"a p99 that nobody knows": {busyCell(PlacementSplit, 0.30, 0.20, 6, func(i int, t *Trial) {
			opened(i, t)
			t.Load.Latency.P99 *= time.Duration(1 + 9*(i/4))
		}), TooNoisy, []string{"p99", "200 %"}},
	} {
		t.Run(name, func(t *testing.T) {
			v, ok := tt.cell.Verdict()
			if !ok || v.Kind != tt.kind {
				t.Fatalf("%q (%s), want %q", v.Kind, v.Reason, tt.kind)
			}
			for _, s := range tt.says {
				if !strings.Contains(v.Reason, s) {
					t.Errorf("%q does not say %q", v.Reason, s)
				}
			}
			if sound := !strings.Contains("erroneous starved too noisy", string(v.Kind)); v.Sound() != sound || tt.cell.soundness().ranked != sound {
				t.Errorf("%s is sound: %v, ranked: %v", v.Kind, v.Sound(), tt.cell.soundness().ranked)
			}
			if bounded := v.Kind == GeneratorBound; tt.cell.soundness().bounded != bounded {
				t.Errorf("%s is a lower bound: %v", v.Kind, !bounded)
			}
		})
	}
}

// taken has others take a fifth of the server's CPU in some rounds, in which everything looks ten times as good.
func taken(in func(i int) bool) func(int, *Trial) {
	return func(i int, t *Trial) {
		if in(i) {
			t.Machine.Seats[0].Others = 200 * time.Millisecond
			t.Server.CPU, t.Client.CPU = t.Server.CPU*8/10, t.Client.CPU*8/10
		}
	}
}

func late(i int, t *Trial) {
	opened(i, t)
	t.Load.Late, t.Load.LateMax = 5000, time.Second
}

func TestNothingTriedHasNoVerdict(t *testing.T) {
	c := &Cell{Trials: []*Trial{{Skipped: "lacks it"}}}
	if v, ok := c.Verdict(); ok {
		t.Errorf("%+v", v)
	}
}

// TestTaken: a trial is left out by what others took of the CPUs in use, and by nothing that it found itself.
func TestTaken(t *testing.T) {
	const ms = time.Millisecond
	for name, tt := range map[string]struct {
		window time.Duration
		seats  []Seat
		want   string // what the warning says; empty: none
	}{
		"nothing":                     {time.Second, []Seat{{Of: SeatBoth, CPUs: "1"}}, ""},
		"five in a hundred":           {time.Second, []Seat{{Of: SeatBoth, CPUs: "1", Others: 50 * ms}}, ""},
		"and less than a tick":        {time.Second, []Seat{{Of: SeatBoth, CPUs: "1", Others: 59 * ms}}, ""},
		"and a tick":                  {time.Second, []Seat{{Of: SeatBoth, CPUs: "1", Others: 61 * ms}}, "other processes took 6.1 % of the server and generator's CPU 1"},
		"by the hypervisor":           {time.Second, []Seat{{Of: SeatBoth, CPUs: "1", Steal: 70 * ms}}, "the hypervisor took 7.0 %"},
		"by both":                     {time.Second, []Seat{{Of: SeatBoth, CPUs: "1", Steal: 40 * ms, Others: 40 * ms}}, "other processes took 4.0 % and the hypervisor took 4.0 %"},
		"a short trial":               {200 * ms, []Seat{{Of: SeatBoth, CPUs: "1", Others: 19 * ms}}, ""},
		"a short trial, more":         {200 * ms, []Seat{{Of: SeatBoth, CPUs: "1", Others: 21 * ms}}, "10.5 %"},
		"of two CPUs":                 {time.Second, []Seat{{Of: SeatBoth, CPUs: "0-1", Others: 110 * ms}}, ""},
		"only the generator's":        {time.Second, []Seat{{Of: SeatServer, CPUs: "1"}, {Of: SeatClient, CPUs: "0", Others: 300 * ms}}, "30.0 % of the generator's CPU 0"},
		"each a little: not together": {time.Second, []Seat{{Of: SeatServer, CPUs: "1", Others: 50 * ms}, {Of: SeatClient, CPUs: "0", Others: 50 * ms}}, ""},
		"elsewhere":                   {time.Second, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var texts []string
			for _, cpu := range []time.Duration{1, tt.window / 2, tt.window} {
				trial := changed(func(t *Trial) {
					t.Server, t.Client = &Usage{Elapsed: tt.window, CPU: cpu}, &Usage{Elapsed: tt.window, CPU: cpu}
					t.Machine = &Machine{Others: time.Hour, Steal: time.Hour, Seats: tt.seats}
				})
				w := checkTaken(trial)
				texts = append(texts, w.Text)
				if (w.Code == WarnSteal) != (tt.want != "") || !strings.Contains(w.Text, tt.want) || Disturbed(trial) != (tt.want != "") {
					t.Errorf("%+v, want %q", w, tt.want)
				}
			}
			if texts[0] != texts[1] || texts[1] != texts[2] {
				t.Errorf("it depends on what the trial found: %q", texts)
			}
		})
	}
}

// TestDisturbedRoundsAreLeftOut of medians, intervals and pairs, with both halves of a pair, and are counted.
func TestDisturbedRoundsAreLeftOut(t *testing.T) {
	first := cost("reactor", 9000, 1e4, 8)
	base := cost("nginx", 10000, 1e4, 8)
	disturb := func(trial *Trial) {
		trial.Warnings = []Warning{{WarnSteal, "other processes took 40 %"}}
		trial.Server.CPU *= 3
	}
	disturb(first.Trials[1])
	disturb(base.Trials[2])
	if e, ok := first.Estimate(ServerCPU); !ok || e.N != 7 || e.Max > 9100 {
		t.Errorf("the estimate is of %d rounds, at most %v: the disturbed one is in it", e.N, e.Max)
	}
	if e, ok := Ratio(first, base, ServerCPU); !ok || e.N != 6 || e.Min < 0.89 || e.Max > 0.91 {
		t.Errorf("the ratio is %+v, want 6 pairs of 0.9", e)
	}
	v, _ := first.Verdict()
	if v.LeftOut != 1 || v.Rounds != 8 || !v.Sound() {
		t.Errorf("%+v, want 1 of 8 left out", v)
	}
	if text := fmt.Sprint(first.Marks()); !strings.Contains(text, "steal in 1 of 8 rounds, which are left out: other processes took 40 %") {
		t.Errorf("the row says %s", text)
	}
	for _, trial := range first.Trials {
		trial.Warnings = []Warning{{WarnSteal, "a"}}
	}
	if e, ok := first.Estimate(ServerCPU); !ok || e.N != 8 {
		t.Errorf("a row of which all rounds are disturbed shows %d of 8", e.N)
	}
}

// TestEveryRowHasItsVerdict: a table shows one for each row, and for a row without rank the reason.
func TestEveryRowHasItsVerdict(t *testing.T) {
	rec := sample(t)
	cells := Cells(rec)
	for _, c := range cells {
		if c.Role != RoleRanked || c.Generator == "" {
			continue
		}
		k := c.Key
		k.Target = ""
		table := newLoadTable(&rec.Run, k, cells)
		g := table.build(nil)
		var heads []string
		for _, c := range g.columns {
			heads = append(heads, c.head)
		}
		for i, row := range table.rows {
			word := cell(t, heads, g.rows[i].cells, headVerdict)
			kind := string(row.verdict.Kind)
			switch {
			case kind == "" && word != Dash, !strings.HasPrefix(word, kind):
				t.Errorf("%s %s %s: %q, want %q", k.Scenario, k.Case, row.target.Name, word, kind)
			case kind != "" && !row.verdict.Sound() && (word == kind || !strings.Contains(strings.Join(g.notes.lines(), "\n"), row.verdict.Reason)):
				t.Errorf("%s %s %s is refused, and nothing says why: %q", k.Scenario, k.Case, row.target.Name, word)
			case !row.verdict.Sound() && strings.ContainsAny(g.rows[i].cells[0], "123456789"):
				t.Errorf("%s %s %s is refused and has the rank %s", k.Scenario, k.Case, row.target.Name, g.rows[i].cells[0])
			}
		}
	}
	verdicts := Verdicts(rec)
	if len(verdicts) == 0 {
		t.Fatal("no verdicts")
	}
	for _, v := range verdicts {
		if v.Kind == "" || v.Reason == "" || v.Ranked && !v.Sound() {
			t.Errorf("%+v", v)
		}
	}
}

// TestGeneratorsThatDisagree: the row says so, on the cost always and on throughput where neither generator was the limit.
func TestGeneratorsThatDisagree(t *testing.T) {
	for name, tt := range map[string]struct {
		server, client float64 // busy
		cost, speed    float64 // of the second to the first
		says           []string
	}{
		"they agree":                          {0.95, 0.5, 1.01, 1.01, nil},
		"on the cost they do not":             {0.95, 0.5, 1.2, 1.01, []string{"CPU per request is 1.20"}},
		"on throughput they do not":           {0.95, 0.5, 1.01, 0.8, []string{"throughput is 0.80"}},
		"but that is the second's own limit":  {0.5, 0.95, 1.01, 0.8, nil},
		"on neither":                          {0.95, 0.5, 1.2, 0.8, []string{"CPU per request is 1.20", "throughput is 0.80"}},
		"on neither, one of them not said of": {0.5, 0.95, 0.8, 0.8, []string{"CPU per request is 0.80"}},
	} {
		t.Run(name, func(t *testing.T) {
			first := busyCell(PlacementSplit, tt.server, tt.client, 8, nil)
			second := busyCell(PlacementSplit, tt.server, tt.client, 8, func(_ int, t *Trial) {
				t.Load.Generator, t.Load.Latency = "wrk", nil
				t.Load.Requests = uint64(float64(t.Load.Requests) * tt.speed)
				t.Server.CPU = time.Duration(float64(t.Server.CPU) * tt.cost * tt.speed)
				t.Server.Affinity, t.Machine.Seats = "1", nil
			})
			second.Role, second.Generator = RoleSecond, "wrk"
			marks := generatorMarks(first, []*Cell{first, second})
			if (len(marks) > 0) != (tt.says != nil) {
				t.Fatalf("%v, want %q", marks, tt.says)
			}
			for _, s := range tt.says {
				if !strings.Contains(marks[0].Text, s) {
					t.Errorf("%q does not say %q", marks[0].Text, s)
				}
			}
			if tt.says == nil {
				return
			}
			if n := strings.Count(marks[0].Text, ";"); n != len(tt.says)-1 {
				t.Errorf("%q says more than %q", marks[0].Text, tt.says)
			}
		})
	}
}

// TestBusiestOfServer: a worker that Go moves from thread to thread is as busy as one that stays.
func TestBusiestOfServer(t *testing.T) {
	one := []Worker{{Requests: 1000, Open: 4}}
	for name, c := range map[string]struct {
		workers       []Worker
		used, busiest time.Duration
		sleeps        uint64
		want          float64
	}{
		"a loop that stays":                      {one, 980 * time.Millisecond, 970 * time.Millisecond, 10, 0.98},
		"a loop that moves":                      {one, 980 * time.Millisecond, 600 * time.Millisecond, 140, 0.98},
		"threads that sleep and wake each other": {one, 980 * time.Millisecond, 600 * time.Millisecond, 500, 0.60},
		"two at a time":                          {one, 1100 * time.Millisecond, 600 * time.Millisecond, 140, 0.60},
		"one of two workers":                     {[]Worker{{Requests: 1000}, {}}, 980 * time.Millisecond, 600 * time.Millisecond, 900, 0.98},
		"two workers":                            {[]Worker{{Requests: 500}, {Requests: 500}}, 980 * time.Millisecond, 600 * time.Millisecond, 10, 0.60},
		"nobody tells":                           {nil, 980 * time.Millisecond, 600 * time.Millisecond, 10, 0.60},
	} {
		trial := Trial{Server: &Usage{Elapsed: time.Second, CPU: c.used, Busiest: c.busiest, Voluntary: c.sleeps}, Workers: c.workers}
		if got, ok := busiestOfServer(&trial); !ok || math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
