package runner

import (
	"strings"
	"testing"
	"time"

	"corelab/results"
	"corelab/runner/target"
)

// A reading over half of the window counts half of what happened: settle doubles it, but for what was read exactly.
func TestSettle(t *testing.T) {
	g := &gauge{
		begun: time.Unix(10, 0), ended: time.Unix(10, 5e8), gotStats: true,
		serverUsage: results.Usage{CPU: 100, User: 40, System: 60, Voluntary: 7, RSSKiB: 9, Files: 3},
		clientUsage: results.Usage{CPU: 50},
		machineUse:  results.Machine{Steal: 5, Others: 6, Seats: []results.Seat{{Of: results.SeatBoth, CPUs: "1", Idle: 3, Steal: 4, Others: 8}}},
		net:         &results.Net{SegmentsIn: 21, SegmentsOut: 22, Retransmits: 1},
		stats:       target.Stats{Runtime: results.Runtime{Allocs: 11, HeapKiB: 12}, Workers: []results.Worker{{Requests: 13, Open: 14}}},
		missing:     []results.Missing{{Figure: "cpu_ns", Reason: "x"}, {Figure: "client cpu_ns", Reason: "y"}, {Figure: "files", Reason: "z"}},
	}
	server := 220 * time.Nanosecond
	var trial results.Trial
	g.settle(&trial, time.Second, &server, nil)
	if u := *trial.Server; u.CPU != 220 || u.User != 88 || u.System != 132 || u.Voluntary != 14 || u.RSSKiB != 9 || u.Files != 3 || u.Elapsed != time.Second {
		t.Errorf("server %+v", u)
	}
	if u := *trial.Client; u.CPU != 100 || u.Elapsed != time.Second {
		t.Errorf("client %+v", u)
	}
	if m := *trial.Machine; m.Steal != 10 || m.Others != 12 {
		t.Errorf("machine %+v", m)
	}
	if s := trial.Machine.Seats[0]; s != (results.Seat{Of: results.SeatBoth, CPUs: "1", Idle: 6, Steal: 8, Others: 16}) {
		t.Errorf("seat %+v", s)
	}
	if n := *trial.Net; n != (results.Net{SegmentsIn: 42, SegmentsOut: 44, Retransmits: 2}) {
		t.Errorf("net %+v", n)
	}
	if r := *trial.Runtime; r.Allocs != 22 || r.HeapKiB != 12 || trial.Workers[0].Requests != 26 || trial.Workers[0].Open != 14 {
		t.Errorf("runtime %+v, workers %+v", r, trial.Workers)
	}
	if len(trial.Missing) != 2 || trial.Missing[0].Figure != "client cpu_ns" || trial.Missing[1].Figure != "files" {
		t.Errorf("missing %+v: only the server's CPU was read exactly", trial.Missing)
	}
}

// A foreign generator may end before it is read from outside; its own account of its CPU then tells it from the others.
func TestSettleGeneratorGone(t *testing.T) {
	g := &gauge{begun: time.Unix(10, 0), ended: time.Unix(11, 0), serverUsage: results.Usage{CPU: 470}, machineUse: results.Machine{Others: 550, Seats: []results.Seat{{Of: results.SeatBoth, Others: 540}}}}
	client := 530 * time.Nanosecond
	var trial results.Trial
	g.settle(&trial, time.Second, nil, &client)
	if o, s := trial.Machine.Others, trial.Machine.Seats[0].Others; o != 20 || s != 10 {
		t.Errorf("others used %d ns, %d of them in the seat, want 20 and 10", o, s)
	}
}

// What the lab did not see of a window, because it was kept from the CPU itself, others are taken to have had.
func TestSettleFillsWhatWasNotSeen(t *testing.T) {
	for name, tt := range map[string]struct {
		over   time.Duration // of a second
		idle   time.Duration // seen
		others time.Duration // of the whole window
	}{
		"all of it":           {985 * time.Millisecond, 0, 10151 * time.Microsecond},
		"a half":              {500 * time.Millisecond, 0, 300 * time.Millisecond},
		"a half, partly idle": {500 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond},
	} {
		g := &gauge{begun: time.Unix(10, 0), ended: time.Unix(11, 0), machineOver: tt.over, serverUsage: results.Usage{CPU: 1}, clientUsage: results.Usage{CPU: 1},
			machineUse: results.Machine{Seats: []results.Seat{{Of: results.SeatBoth, CPUs: "1", Idle: tt.idle, Others: 10 * time.Millisecond}}}}
		server, client := 400*time.Millisecond, 300*time.Millisecond
		var trial results.Trial
		g.settle(&trial, time.Second, &server, &client)
		if got := trial.Machine.Seats[0].Others.Round(time.Microsecond).Truncate(time.Microsecond); got < tt.others-2*time.Microsecond || got > tt.others+2*time.Microsecond {
			t.Errorf("%s: others used %v, want %v", name, got, tt.others)
		}
	}
}

func TestSettleWithoutReading(t *testing.T) {
	var trial results.Trial
	new(gauge).settle(&trial, time.Second, nil, nil)
	if trial.Server != nil || trial.Client != nil || len(trial.Missing) != 1 {
		t.Errorf("%+v", trial)
	}
}

func TestWarn(t *testing.T) {
	base := func() results.Trial {
		return results.Trial{Target: "reactor", Server: &results.Usage{Elapsed: time.Second}, Wire: &results.Wire{HeadBytes: 140}}
	}
	nginx := reference{"nginx", 156}
	for _, c := range []struct {
		name   string
		change func(*results.Trial)
		ref    reference
		code   string
	}{
		{"nothing", func(*results.Trial) {}, nginx, ""},
		{"short head", func(t *results.Trial) { t.Wire.HeadBytes = 139 }, nginx, results.WarnHead},
		{"long head", func(t *results.Trial) { t.Wire.HeadBytes = 173 }, nginx, results.WarnHead},
		{"long head without reference", func(t *results.Trial) { t.Wire.HeadBytes = 173 }, reference{}, ""},
		{"the reference itself", func(t *results.Trial) { t.Wire.HeadBytes = 173 }, reference{"reactor", 100}, ""},
		{"nothing measured", func(t *results.Trial) { *t = results.Trial{} }, nginx, ""},
	} {
		trial := base()
		c.change(&trial)
		warn(&trial, c.ref)
		code := ""
		if len(trial.Warnings) > 0 {
			code = trial.Warnings[0].Code
		}
		if code != c.code || len(trial.Warnings) > 1 {
			t.Errorf("%s: %+v, want %q", c.name, trial.Warnings, c.code)
		}
	}
	trial := base()
	trial.Server.Affinity = "0-1"
	warnPlacement(&trial, "server", trial.Server, "1")
	warnPlacement(&trial, "server", trial.Server, "0-1")
	if len(trial.Warnings) != 1 || trial.Warnings[0].Code != results.WarnPlacement || !strings.Contains(trial.Warnings[0].Text, "0-1 instead of 1") {
		t.Errorf("%+v", trial.Warnings)
	}
}

func TestRawName(t *testing.T) {
	s := Step{Position: 7, Cell: Cell{Scenario: &Scenario{Name: "connections"}, Case: Case{Name: "connections=50"}, Target: "pool --threads 8/../x", Generator: ByWrk}}
	if got, want := rawName(s), "0007-connections-connections=50-pool_--threads_8_.._x.wrk.txt"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	s.Target = strings.Repeat("long", 200)
	if n := len(rawName(s)); n > 200 {
		t.Errorf("%d bytes", n)
	}
}
