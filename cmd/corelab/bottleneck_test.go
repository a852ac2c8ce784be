package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"corelab/results"
	"corelab/runner"
	"corelab/runner/probe"
)

// provocation is a case that is built to have one bottleneck, by a wide margin.
type provocation struct {
	live
	rule     string
	says     string        // in what is said of it
	rounds   int           // trials of which the row is made; 1 if 0
	duration time.Duration // of each; newLab's if 0
	role     string        // of a second trial that observes or profiles the same; empty: none
	take     time.Duration // how long that one lasts
}

// provocations are the cases; TestEveryLiveRuleIsProvoked holds them against the table of rules.
func provocations(split runner.Placement) map[string]provocation {
	closed := func(connections int) runner.Shape {
		return runner.Shape{Loop: runner.Closed, Connections: connections, Depth: 1}
	}
	open := func(connections int, rate float64) runner.Shape {
		return runner.Shape{Loop: runner.Open, Connections: connections, Depth: 1, Rate: rate, Arrival: runner.Constant}
	}
	fresh := closed(16)
	fresh.Fresh = true
	deep := runner.Shape{Loop: runner.Closed, Connections: 1, Depth: 4}
	at := func(target string, where runner.Placement, path string, shape runner.Shape, body string) live {
		return live{target: target, placement: where, generator: runner.ByCorelab, path: path, shape: shape, body: body}
	}
	const hello = "Hello, World!"
	return map[string]provocation{
		"a server that answers 1 of 100 wrongly": {live: at("reactor --app planted --plant-wrong 100", runner.One, "/planted", closed(16), hello),
			rule: "wrong-answers", says: "bytes: "},
		"a server that closes instead of answering": {live: at("reactor --app planted --plant-close 100", runner.One, "/planted", closed(16), hello),
			rule: "lost-answers", says: "read"},
		"a server that is not there": {live: at("nobody=/bin/false --port {port}", runner.One, "/plaintext", closed(4), hello),
			rule: "failed", says: "exit status 1"},
		"a pool of 8 threads, and 64 connections": {live: at("pool --threads 8", runner.One, "/plaintext", closed(64), hello),
			rule: "pool-full", says: "56 of 64 connections"},
		"connections that are never answered": {live: at("reactor --app planted --plant-mute 16", runner.One, "/planted", closed(64), hello),
			rule: "never-answered", says: "16 of 64 connections were never answered"},
		"one connection after the other, each waiting": {live: at("sequential", runner.One, "/delay/1", closed(8), "ok"),
			rule: "one-at-a-time", says: "while 7 of 8 connections wait"},
		"a few answers that are late": {live: at("reactor --app planted --plant-late 0.02@20ms", split, "/planted", open(32, 2500), hello), duration: time.Second,
			rule: "slow-tail", says: "one answer in a hundred"},
		"a rate that is little": {live: at("reactor", split, "/plaintext", open(16, 500), hello),
			rule: "rate", says: "nothing limits it: all that was due at 500/s"},
		"a generator that costs more than the server": {live: live{target: "reactor", placement: split, generator: runner.ByVegeta, path: "/plaintext", shape: open(64, 500_000), body: hello},
			rule: "generator", says: "the generator is the limit"},
		"a rate that takes more connections": {live: at("reactor --app planted --plant-serial 1ms", split, "/planted", open(16, 5000), hello),
			rule: "too-few-connections", says: "and there are 16"},
		"one connection": {live: at("reactor --app planted --plant-serial 1ms", split, "/planted", closed(1), hello),
			rule: "one-in-flight", says: "take turns"},
		"a handler that waits": {live: at("reactor", split, "/delay/10", closed(4), "ok"),
			rule: "waits-inside", says: "no answer takes less than 10"},
		"a handler that sleeps for a moment": {live: at("reactor --app planted --plant-switches 3", split, "/planted", closed(3), hello),
			rule: "wake-ups", says: "they wake each other"},
		"connections that wrk does not time": {live: live{target: "pool --threads 8", placement: split, generator: runner.ByWrk, path: "/plaintext", shape: closed(64), body: hello}, duration: time.Second,
			rule: "unseen-waiting", says: "of 64 requests that its connections hold"},
		"one loop that works, and two CPUs": {live: at("epoll --ballast 200us", runner.Shared, "/plaintext", closed(4), hello),
			rule: "one-thread", says: "one thread does it all"},
		"two loops, of which one has the connection": {live: at("reactor --ballast 200us", runner.Shared, "/plaintext", deep, hello),
			rule: "uneven-workers", says: "one of 2 answered"},
		"a connection for each request": {live: at("reactor", runner.One, "/plaintext", fresh, hello),
			rule: "connection-per-request", says: "as the clients want it"},
		"answers of 1 MiB": {live: at("reactor", runner.One, "/bytes/1048576", closed(2), strings.Repeat("abcdefghijklmnopqrstuvwxyz", 1<<20/26+1)[:1<<20]),
			rule: "large-bodies", says: "are an answer"},
		"a thread for each connection": {live: at("pool --threads 16", runner.One, "/plaintext", closed(16), hello),
			rule: "hand-over", says: "goes to sleep and is woken for each request"},
		"a handler that keeps memory": {live: at("reactor --app planted --plant-leak 65536", runner.One, "/planted", closed(4), hello),
			rule: "page-faults", says: "page faults a request"},
		"a handler that works": {live: at("reactor --ballast 100us", split, "/plaintext", closed(16), hello), duration: 500 * time.Millisecond,
			rule: "user-code", says: "user time"},
		"a handler that does nothing": {live: at("reactor", runner.One, "/plaintext", closed(16), hello), duration: time.Second,
			rule: "kernel", says: "system time"},
		"a handler that makes 30 calls": {live: at("reactor --app planted --plant-calls 30", runner.One, "/planted", closed(16), hello), role: results.RoleObserved, take: 200 * time.Millisecond,
			rule: "system-calls", says: "getppid 30.0"},
		"an event loop that registers anew": {live: at("evio", runner.One, "/plaintext", closed(16), hello), role: results.RoleObserved, take: 200 * time.Millisecond,
			rule: "epoll", says: "registered anew for each request"},
		"a goroutine that reads until there is nothing": {live: at("goroutine", runner.One, "/plaintext", closed(64), hello), duration: time.Second, role: results.RoleObserved, take: 300 * time.Millisecond,
			rule: "empty-reads", says: "reads a request, of which one has it"},
		"a handler that does nothing, and a profile": {live: at("reactor", runner.One, "/plaintext", closed(16), hello), role: results.RoleProfiled, take: 500 * time.Millisecond,
			rule: "kernel-tcp", says: "in TCP"},
	}
}

// twoCPUs are the rules that take a server with two CPUs, or server and generator with CPUs of their own.
var twoCPUs = map[string]bool{"one-thread": true, "uneven-workers": true, "generator": true, "user-code": true, "wake-ups": true}

// allPatience is how long all cases together may wait until the machine lets their trials through; each has one try.
const allPatience = 30 * time.Second

// TestLiveBottlenecks provokes the rules with real servers and a real generator.
func TestLiveBottlenecks(t *testing.T) {
	begun := time.Now()
	split := runner.Split
	cpus, err := probe.Allowed()
	if err != nil || len(cpus) < 2 {
		split = runner.One
	}
	for name, c := range provocations(split) {
		t.Run(name, func(t *testing.T) {
			if len(cpus) < 2 && twoCPUs[c.rule] {
				t.Skip("there is one CPU")
			}
			if _, err := exec.LookPath(string(c.generator)); c.generator == runner.ByWrk && err != nil {
				t.Skip(err)
			}
			lab := newProvocation(t, c)
			var b results.Bottleneck
			until := time.Now().Add(patience)
			if end := begun.Add(allPatience); end.Before(until) {
				until = end
			}
			for first := true; first || time.Now().Before(until); first = false {
				rec, undisturbed := lab.row(t)
				cells := results.Cells(rec)
				var ok bool
				if b, ok = rec.BottleneckOf(cells, cells[0]); !ok {
					t.Fatalf("nothing was tried: %+v", rec.Trials[0])
				}
				all := b.Sentence + "\n" + strings.Join(b.Evidence, "\n")
				if b.Rule == c.rule && strings.Contains(all, c.says) {
					t.Logf("%s. Moves: %s", b.Sentence, b.Moves)
					return
				}
				if undisturbed && b.Rule != "unknown-busy" {
					t.Fatalf("%s (%s; %q), want %s with %q; error %q", b.Rule, b.Sentence, b.Evidence, c.rule, c.says, rec.Trials[0].Error)
				}
			}
			t.Logf("the machine was never quiet: %s: %s", b.Rule, b.Sentence)
		})
	}
}

// TestEveryLiveRuleIsProvoked holds the table of rules against the cases.
func TestEveryLiveRuleIsProvoked(t *testing.T) {
	provoked := map[string]bool{"disturbed": true} // by TestLiveDisturbed
	for _, c := range provocations(runner.Split) {
		provoked[c.rule] = true
	}
	for _, r := range results.BottleneckRules {
		if live := strings.HasPrefix(r.Provoked, "live"); live != provoked[r.Name] {
			t.Errorf("%s: its table says %q, and a case provokes it: %v", r.Name, r.Provoked, provoked[r.Name])
		}
	}
}

// TestLiveDisturbed: while others have the CPU, no bottleneck is named.
func TestLiveDisturbed(t *testing.T) {
	lab := newProvocation(t, provocation{live: live{target: "reactor", placement: runner.One, generator: runner.ByCorelab, path: "/plaintext",
		shape: runner.Shape{Loop: runner.Closed, Connections: 16, Depth: 1}, body: "Hello, World!"}})
	place, err := probe.Place(probe.PlaceOne)
	if err != nil {
		t.Fatal(err)
	}
	defer hog(t, place.Server[0])()
	var b results.Bottleneck
	for range 5 { // whoever takes the CPU may have to wait for it itself, on a crowded machine
		rec, _ := lab.row(t)
		cells := results.Cells(rec)
		if b, _ = rec.BottleneckOf(cells, cells[0]); b.Rule == "disturbed" {
			return
		}
	}
	t.Errorf("%s: %s", b.Rule, b.Sentence)
}

// provocationLab makes rows of one case.
type provocationLab struct {
	*liveLab
	c provocation
}

func newProvocation(t *testing.T, c provocation) *provocationLab {
	t.Helper()
	lab := newLab(t, c.live)
	if c.duration > 0 {
		lab.step.Duration = c.duration
	}
	n := 0
	lab.bay.KeepProfile = func(name string, b []byte) (string, error) {
		n++
		path := filepath.Join("profiles", fmt.Sprintf("%d-%s", n, name))
		if err := os.MkdirAll(filepath.Join(lab.bay.Dir, "profiles"), 0o777); err != nil {
			return "", err
		}
		return path, os.WriteFile(filepath.Join(lab.bay.Dir, path), b, 0o666)
	}
	return &provocationLab{lab, c}
}

// row is a record of one row, of as many trials as the case wants, and of the one that observes or profiles it.
func (l *provocationLab) row(t *testing.T) (rec *results.Record, undisturbed bool) {
	t.Helper()
	rec, undisturbed = &results.Record{Dir: l.bay.Dir}, true
	for range max(l.c.rounds, 1) {
		trial := l.trial(t)
		undisturbed = undisturbed && quiet(trial) && !hasWarning(trial, results.WarnLate)
		rec.Trials = append(rec.Trials, *trial)
	}
	if l.c.role == "" {
		return rec, undisturbed
	}
	plain := l.step
	defer func() { l.step.Role, l.step.Duration = plain.Role, plain.Duration }()
	l.step.Role, l.step.Duration = l.c.role, l.c.take
	trial := l.trial(t)
	switch {
	case l.c.role == results.RoleObserved && len(trial.Calls) == 0:
		t.Skipf("system calls cannot be counted here: %v %s", trial.Missing, trial.Error)
	case l.c.role == results.RoleProfiled && profileOf(trial, results.ProfileCPU) == nil:
		t.Skipf("perf cannot record here: %v %s", trial.Missing, trial.Error)
	}
	rec.Trials = append(rec.Trials, *trial)
	return rec, undisturbed
}

// quiet reports whether others took next to nothing of the CPUs in use: a thread that has used up all that they left of one
// looks idle. A trial that failed says so by itself.
func quiet(t *results.Trial) bool {
	if t.Machine == nil || t.Server == nil {
		return t.Error != ""
	}
	for _, s := range t.Machine.Seats {
		if s.Others+s.Steal > t.Server.Elapsed/100 {
			return false
		}
	}
	return !results.Disturbed(t)
}

func profileOf(t *results.Trial, kind string) *results.Profile {
	for i := range t.Profiles {
		if t.Profiles[i].Kind == kind {
			return &t.Profiles[i]
		}
	}
	return nil
}
