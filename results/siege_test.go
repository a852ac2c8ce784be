package results

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// siegeTrials are the windows of so many rounds of one target and kind; beset changes those beside the siege.
func siegeTrials(target, kind string, rounds int, beset func(*Trial)) (out []Trial) {
	for round := 1; round <= rounds; round++ {
		for _, with := range []bool{false, true} {
			p99 := time.Duration(200+round) * time.Microsecond
			t := Trial{Kind: KindTrial, Scenario: "siege", Case: kind, Target: target, Role: RoleSiege, Round: round, Placement: PlacementSplit,
				Load: &Load{Generator: "corelab", Loop: LoopOpen, Rate: 5000, Elapsed: time.Second, Requests: 5000, Connections: 32, Depth: 1,
					Latency: &Latency{Count: 5000, P50: p99 / 2, P99: p99}},
				Server: &Usage{Elapsed: time.Second, CPU: 100 * time.Millisecond}, Siege: &Siege{Kind: kind}}
			if with {
				t.Load.Latency.P99 += 5 * time.Microsecond
				t.Server.CPU = 150 * time.Millisecond
				t.Siege.With, t.Siege.Patient = true, round == 1
				t.Siege.Attack = &Attack{Kind: kind, Foes: 5000, Limit: 10 * time.Second, Known: true, Slack: time.Second, Opened: 7500,
					How: map[string]uint64{"408": 2500}, Young: 5000, Cut: &Latency{Count: 2500, P50: 10 * time.Second, Max: 10_050 * time.Millisecond}}
				t.Siege.Memory = &Burden{Before: 1400, Peak: 10_400, After: 9000, Sockets: 2048, Files: 20, FilesPeak: 5020, FilesLeft: 20, Back: 30 * time.Millisecond}
				if beset != nil {
					beset(&t)
				}
			}
			out = append(out, t)
		}
	}
	return out
}

func siegeRecord(trials ...[]Trial) *Record {
	rec := &Record{Run: Run{ID: "20261122-120000-siege", Siege: &SiegeAsked{Rate: 5000, Connections: 32, Rounds: 6, Window: 5 * time.Second, Bound: 1.2}}}
	for _, t := range slices.Concat(trials...) {
		if !slices.Contains(rec.Run.Siege.Kinds, t.Case) {
			rec.Run.Siege.Kinds = append(rec.Run.Siege.Kinds, t.Case)
		}
		if !slices.ContainsFunc(rec.Run.Targets, func(x Target) bool { return x.Name == t.Target }) {
			rec.Run.Targets = append(rec.Run.Targets, Target{Name: t.Target, Kind: "core"})
		}
		rec.Trials = append(rec.Trials, t)
	}
	return rec
}

func TestSiegeVerdict(t *testing.T) {
	for name, test := range map[string]struct {
		rounds  int
		beset   func(*Trial)
		verdict string
		reason  string // part of one
	}{
		"as it should be":  {6, nil, SiegeHolds, ""},
		"few rounds":       {3, nil, SiegeNotShown, "3 rounds have no interval"},
		"slower":           {6, func(t *Trial) { t.Load.Latency.P99 *= 2 }, SiegeFails, "beyond 1.2 times"},
		"sometimes slower": {6, func(t *Trial) { t.Load.Latency.P99 *= time.Duration(1 + t.Round%2) }, SiegeNotShown, "reaches beyond 1.2"},
		"slower where something else ran": {6, func(t *Trial) {
			disturbedTrial(t)
			t.Load.Latency.P99 *= 2
		}, SiegeNotShown, "something else took the CPU"},
		"late where something else ran": {6, func(t *Trial) {
			disturbedTrial(t)
			t.Siege.Attack.Late, t.Load.Errors.Timeout = 3, 500
		}, SiegeNotShown, "18 were cut late"},
		"never, where something else ran": {6, func(t *Trial) {
			disturbedTrial(t)
			t.Siege.Attack.Overdue = 1
		}, SiegeFails, "6 were open"},
		"late":           {6, func(t *Trial) { t.Siege.Attack.Late = 3 }, SiegeFails, "18 were cut late"},
		"early":          {6, func(t *Trial) { t.Siege.Attack.Early = 1 }, SiegeFails, "6 were cut before"},
		"never":          {6, func(t *Trial) { t.Siege.Attack.Overdue = 1 }, SiegeFails, "6 were open longer than 10.0 s"},
		"otherwise":      {6, func(t *Trial) { t.Siege.Attack.Wrong = 2 }, SiegeFails, "12 were cut in another way"},
		"memory":         {6, func(t *Trial) { t.Siege.Memory.Peak = 200 << 10 }, SiegeFails, "memory grew by 198.6 MiB, more than 113.7"},
		"files":          {6, func(t *Trial) { t.Siege.Memory.FilesLeft += 7 }, SiegeFails, "7 files stayed open"},
		"starved":        {6, func(t *Trial) { t.Load.Errors.Timeout = 500 }, SiegeFails, "9.09 % of their requests were lost"},
		"no connection":  {6, func(t *Trial) { t.Load, t.Error = nil, "connection timed out" }, SiegeFails, "connection timed out"},
		"unknown limits": {6, func(t *Trial) { t.Siege.Attack.Known, t.Siege.Attack.Wrong = false, 4 }, SiegeUnjudged, ""},
	} {
		rows := SiegeRows(siegeRecord(siegeTrials("reactor", SiegeHeads, test.rounds, test.beset)))
		if len(rows) != 1 {
			t.Fatalf("%s: %d rows", name, len(rows))
		}
		r := rows[0]
		reasons := strings.Join(r.Reasons, "; ")
		if r.Verdict != test.verdict || !strings.Contains(reasons, test.reason) || (r.Verdict == SiegeHolds) != (reasons == "") && test.verdict != SiegeUnjudged {
			t.Errorf("%s: %s (%s), want %s (%s)", name, r.Verdict, reasons, test.verdict, test.reason)
		}
	}
	if rows := SiegeRows(&Record{}); rows != nil {
		t.Errorf("a run of another kind has %v", rows)
	}
}

func TestSiegeTable(t *testing.T) {
	rec := siegeRecord(siegeTrials("reactor", SiegeHeads, 6, nil),
		siegeTrials("pool", SiegeHeads, 6, func(t *Trial) {
			t.Load.Errors.Timeout, t.Siege.Attack.Overdue, t.Siege.Attack.How = 5000, 4936, map[string]uint64{"408": 64}
		}))
	golden(t, "siege.txt", []byte(SiegeText(rec, 160, false)))
	b, err := json.MarshalIndent(SiegeRows(rec), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "siege.json", append(b, '\n'))
	rec.Run.Scenarios = []Scenario{{Name: "siege", Question: "What do they cost?"}}
	files, err := Report(rec)
	if err != nil {
		t.Fatal(err)
	}
	if md := string(files[ReportFile]); !strings.Contains(md, "| reactor | 5,000 heads | holds |") || strings.Contains(md, "p99.9") {
		t.Errorf("the report has no table of its own, or another's:\n%s", md)
	}
}
