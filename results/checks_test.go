package results

import (
	"strings"
	"testing"
	"time"
)

// closed is a trial of a closed loop that keeps Little's law.
func closed(connections int, perSecond float64) *Trial {
	mean := time.Duration(float64(connections) / perSecond * float64(time.Second))
	requests := uint64(20 * perSecond)
	return &Trial{Scenario: "s", Target: "t", Round: 1, Load: &Load{Generator: "wrk", Loop: LoopClosed, Connections: connections, Depth: 1,
		Elapsed: 20 * time.Second, Requests: requests, Latency: &Latency{Count: requests, Mean: mean, P50: mean, P90: mean, P99: mean, P999: mean, Max: mean}}}
}

// changed is a sound trial that f changed.
func changed(f func(*Trial)) *Trial {
	t := closed(800, 21489)
	f(t)
	return t
}

func TestCheck(t *testing.T) {
	for name, tt := range map[string]struct {
		trial *Trial
		code  string   // "" for none
		says  []string // in the text
	}{
		"sound": {closed(800, 21489), "", nil},
		"the published thread pool": {changed(func(t *Trial) { t.Load.Latency.Mean = 23500 * time.Microsecond }), WarnLittle,
			[]string{"800 connections", "21,489 req/s", "37.2 ms", "23.5 ms", "-37 %"}},
		"5 % is allowed":                 {changed(func(t *Trial) { t.Load.Latency.Mean = t.Load.Latency.Mean * 1049 / 1000 }), "", nil},
		"6 % is not":                     {changed(func(t *Trial) { t.Load.Latency.Mean = t.Load.Latency.Mean * 106 / 100 }), WarnLittle, []string{"+6 %"}},
		"no mean, no law":                {changed(func(t *Trial) { t.Load.Latency.Mean = 0 }), "", nil},
		"no latency, no law":             {changed(func(t *Trial) { t.Load.Latency = nil }), "", nil},
		"pipelined":                      {changed(func(t *Trial) { t.Load.Depth = 16; t.Load.Latency.Mean *= 16 }), "", nil},
		"pipelined, too short":           {changed(func(t *Trial) { t.Load.Depth = 16 }), WarnLittle, []string{"× 16 deep"}},
		"pipelined, answered one by one": {changed(func(t *Trial) { t.Load.Depth = 16; t.Load.Latency.Mean = t.Load.Latency.Mean * 17 / 2 }), "", nil},
		"pipelined, below one by one": {changed(func(t *Trial) { t.Load.Depth = 16; t.Load.Latency.Mean *= 8 }), WarnLittle,
			[]string{"316 ms to 596 ms", "-6 %"}},
		"an open loop has no fixed number in flight":     {changed(func(t *Trial) { t.Load.Loop = LoopOpen; t.Load.Latency.Mean = 1 }), "", nil},
		"a foreign generator that leaves connecting out": {changed(func(t *Trial) { t.Load.Reconnect = true; t.Load.Latency.Mean /= 2 }), "", nil},
		"and one that adds to it":                        {changed(func(t *Trial) { t.Load.Reconnect = true; t.Load.Latency.Mean *= 2 }), WarnLittle, nil},
		"errors": {changed(func(t *Trial) { t.Load.Errors = Errors{Read: 3, Status: 1200} }), WarnErrors,
			[]string{"1,203 errors", "3 read", "1200 status"}},
		"died":        {changed(func(t *Trial) { t.Warnings = []Warning{{WarnDied, "signal: killed"}} }), WarnDied, []string{"signal: killed"}},
		"few answers": {changed(func(t *Trial) { t.Load.Latency.Count = 9999 }), WarnShort, []string{"9,999", "p99.9", "10,000"}},
		"very few":    {changed(func(t *Trial) { t.Load.Latency.Count = 99 }), WarnShort, []string{"p90"}},
		"late": {changed(func(t *Trial) { t.Load.Loop = LoopOpen; t.Load.Late = 1000; t.Load.LateMax = 31 * time.Millisecond }), WarnLate,
			[]string{"1,000 requests", "31.0 ms"}},
		"hardly late":                      {changed(func(t *Trial) { t.Load.Loop = LoopOpen; t.Load.Late = 100 }), "", nil},
		"never sent":                       {changed(func(t *Trial) { t.Load.Loop = LoopOpen; t.Load.Unsent = 5000 }), WarnLate, []string{"5,000 not at all"}},
		"skipped":                          {&Trial{Skipped: "lacks it"}, "", nil},
		"generator":                        {busy(PlacementSplit, "1", 18), WarnGenerator, []string{"90 %", "(1)", "lower bound"}},
		"generator idle":                   {busy(PlacementSplit, "1", 17.9), "", nil},
		"of two CPUs":                      {busy(PlacementSplit, "0,2-3", 18), "", nil},
		"on one CPU nobody can be busier":  {busy(PlacementOne, "1", 18), "", nil},
		"not known where":                  {busy(PlacementSplit, "", 18), "", nil},
		"a strange list of CPUs is no CPU": {busy(PlacementSplit, "3-1", 18), "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := Check(tt.trial)
			if tt.code == "" {
				if len(got) != 0 {
					t.Errorf("warned without reason: %v", got)
				}
				return
			}
			if len(got) != 1 || got[0].Code != tt.code {
				t.Fatalf("got %v, want one %s", got, tt.code)
			}
			for _, s := range tt.says {
				if !strings.Contains(got[0].Text, s) {
					t.Errorf("%q does not say %q", got[0].Text, s)
				}
			}
			tt.trial.Warnings = got
			if again := Check(tt.trial); len(again) != 1 {
				t.Errorf("checked again: %v", again)
			}
		})
	}
}

// busy is a trial whose generator used so many seconds of 20.
func busy(placement, affinity string, seconds float64) *Trial {
	return changed(func(t *Trial) {
		t.Placement = placement
		t.Client = &Usage{Elapsed: 20 * time.Second, CPU: time.Duration(seconds * float64(time.Second)), Affinity: affinity}
	})
}

func TestStarvedConnectionsHoldNoRequests(t *testing.T) {
	// 800 connections, of which 64 are served: the mean is that of 64.
	trial := changed(func(t *Trial) {
		t.Load.Starved = 736
		t.Load.Latency.Mean = t.Load.Latency.Mean * 64 / 800
	})
	got := Check(trial)
	if len(got) != 1 || got[0].Code != WarnStarved || !strings.Contains(got[0].Text, "736 of 800") {
		t.Errorf("got %v, want starved alone", got)
	}
	trial.Load.Latency.Mean *= 2
	if got := Check(trial); !hasCode(got, WarnLittle) || !strings.Contains(got[0].Text, "(800 − 736 starved)") {
		t.Errorf("got %v, want Little's law over the connections that were served", got)
	}
	trial.Load.Starved = 800
	if got := Check(trial); hasCode(got, WarnLittle) {
		t.Errorf("a law over no connections: %v", got)
	}
}

func TestWhatRefuses(t *testing.T) {
	for code, want := range map[string]bool{
		WarnLittle: true, WarnErrors: true, WarnStarved: true, WarnDied: true, WarnPlacement: true, "of-a-newer-corelab": true,
		WarnGenerator: false, WarnSteal: false, WarnLate: false, WarnHead: false, WarnReference: false, WarnShort: false,
	} {
		if Refuses(code) != want {
			t.Errorf("%s refuses: %v, want %v", code, !want, want)
		}
	}
}

func TestMissingReasons(t *testing.T) {
	trial := &Trial{Server: &Usage{CPU: 5, Voluntary: 3}, Client: &Usage{CPU: 5}, Load: &Load{Generator: "wrk", Requests: 10, Elapsed: 1}}
	for name, tt := range map[string]struct {
		figure string // as a probe writes it
		lacks  []Figure
		has    []Figure
	}{
		"the server's":        {"cpu_ns", []Figure{ServerCPU, CPUShare}, []Figure{ClientCPU, Switches, Throughput}},
		"several":             {"voluntary_switches, cpu_ns", []Figure{ServerCPU, Switches}, []Figure{ClientCPU}},
		"the client's":        {"client voluntary_switches, cpu_ns", []Figure{ClientCPU, CPUShare}, []Figure{ServerCPU, Switches}},
		"the client's, point": {"client.cpu_ns", []Figure{ClientCPU}, []Figure{ServerCPU}},
		"the whole server":    {"server", []Figure{ServerCPU, Switches, Memory}, []Figure{ClientCPU}},
		"latency":             {"latency", []Figure{P50, P999}, []Figure{ServerCPU}},
		"something else":      {"ksoftirqd_ns", nil, []Figure{ServerCPU, ClientCPU, Switches, Throughput}},
	} {
		t.Run(name, func(t *testing.T) {
			trial.Missing = []Missing{{tt.figure, "because"}}
			for _, f := range tt.lacks {
				if v, ok := f.Of(trial); ok || f.Lack(trial) != "because" {
					t.Errorf("%s: %v, %v, %q", f.Name, v, ok, f.Lack(trial))
				}
			}
			for _, f := range tt.has {
				if _, ok := f.Of(trial); !ok {
					t.Errorf("%s is missing: %s", f.Name, f.Lack(trial))
				}
			}
		})
	}
}

func TestAFailedTrialHasNoFiguresButItsErrors(t *testing.T) {
	trial := changed(func(t *Trial) { t.Error = "the server ended"; t.Load.Errors.Read = 9 })
	if v, ok := Throughput.Of(trial); ok {
		t.Errorf("a throughput of %v", v)
	}
	if v, ok := Failed.Of(trial); !ok || v != 9 {
		t.Errorf("errors %v, %v", v, ok)
	}
}
