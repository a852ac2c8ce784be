package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"corelab/results"
)

// fakeLab is a lab whose trials take a second of a clock that only they move.
type fakeLab struct {
	clock  *time.Time
	trials []Step
	fail   map[int]string // by position
	before func(Step)
}

func (l *fakeLab) Trial(_ context.Context, s Step) results.Trial {
	if l.before != nil {
		l.before(s)
	}
	l.trials = append(l.trials, s)
	*l.clock = l.clock.Add(time.Second)
	return results.Trial{Scenario: s.Scenario.Name, Case: s.Case.Name, Target: s.Target, Role: s.Role, Round: s.Round, Position: s.Position, Error: l.fail[s.Position]}
}

// disk is a record that has room for so many lines.
type disk struct {
	room   int
	trials []results.Trial
	end    *results.End
}

func (d *disk) Append(t results.Trial) error {
	if d.room == 0 {
		return fmt.Errorf("append a trial: %w", syscall.ENOSPC)
	}
	d.room--
	d.trials = append(d.trials, t)
	return nil
}

func (d *disk) End(e results.End) error { d.end = &e; return nil }

func newBench(t *testing.T, room int) (*Bench, *fakeLab, *disk, *bytes.Buffer, *bytes.Buffer) {
	t.Helper()
	p := newPlan(t, Ask{Plan: "smoke", Seed: 3, WarmUp: -1})
	now := time.Unix(0, 0)
	lab := &fakeLab{clock: &now, fail: map[int]string{}}
	rec := &disk{room: room}
	said, rescued := &bytes.Buffer{}, &bytes.Buffer{}
	return &Bench{
		Steps: p.Steps(), Skipped: p.Skipped(), Lab: lab, Record: rec, Progress: &Progress{Out: said}, Rescue: rescued,
		Now: func() time.Time { return now },
	}, lab, rec, said, rescued
}

func TestBenchWritesEverything(t *testing.T) {
	b, lab, rec, said, _ := newBench(t, 1000)
	lab.fail[2] = "the server ended: exit status 2\nand its log"
	end, err := b.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(rec.trials) != len(b.Steps)+len(b.Skipped) || end.Trials != len(b.Steps) || end.Interrupted || rec.end == nil {
		t.Errorf("%d trials of %d steps and %d skipped; end %+v", len(rec.trials), len(b.Steps), len(b.Skipped), end)
	}
	if !strings.Contains(said.String(), "the server ended: exit status 2\n") || strings.Contains(said.String(), "and its log") {
		t.Errorf("said %q", said)
	}
}

func TestInterruptedBenchKeepsWhatEnded(t *testing.T) {
	b, lab, rec, _, _ := newBench(t, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lab.before = func(s Step) {
		if s.Position == 5 {
			cancel()
		}
	}
	end, err := b.Run(ctx)
	if err != nil || !end.Interrupted || end.Trials != 4 || len(rec.trials) != 4+len(b.Skipped) || rec.end == nil {
		t.Errorf("end %+v, %d trials, %v", end, len(rec.trials), err)
	}
}

func TestFullDiskLosesNothing(t *testing.T) {
	t.Run("room comes back", func(t *testing.T) {
		b, lab, rec, said, rescued := newBench(t, 10)
		lab.before = func(s Step) {
			if s.Position == 20 {
				rec.room = 1000
			}
		}
		if _, err := b.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(rec.trials) != len(b.Steps)+len(b.Skipped) || rescued.Len() != 0 {
			t.Errorf("%d written, %q rescued", len(rec.trials), rescued)
		}
		for i := len(b.Skipped) + 1; i < len(rec.trials); i++ {
			if rec.trials[i].Position != rec.trials[i-1].Position+1 {
				t.Fatalf("the order was lost at %d", i)
			}
		}
		if n := strings.Count(said.String(), "no space left"); n != 1 {
			t.Errorf("said %d times: %q", n, said)
		}
	})
	t.Run("it stays full", func(t *testing.T) {
		b, _, rec, _, rescued := newBench(t, 10)
		_, err := b.Run(t.Context())
		if err == nil || rec.end == nil {
			t.Fatalf("error %v, end %v", err, rec.end)
		}
		lines := strings.Split(strings.TrimSpace(rescued.String()), "\n")
		if want := len(b.Steps) + len(b.Skipped) - 10; len(lines) != want {
			t.Errorf("%d lines rescued, %d wanted", len(lines), want)
		}
		for _, l := range lines {
			var trial results.Trial
			if err := json.Unmarshal([]byte(l), &trial); err != nil || trial.Kind != results.KindTrial {
				t.Errorf("%q: %v", l, err)
			}
		}
	})
}

func TestBudgetUsedUp(t *testing.T) {
	b, lab, _, said, _ := newBench(t, 1000)
	for i := range b.Steps[10:] {
		b.Steps[10+i].Round = 2
	}
	b.Budget = 15 * time.Second // 16.5 with the overdraft: the 17th trial still begins
	if _, err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(lab.trials) != 17 || !strings.Contains(said.String(), "used up") {
		t.Errorf("%d trials; said %q", len(lab.trials), said)
	}
}

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	p := &Progress{Out: &out, Terminal: true, Width: 72}
	now := time.Unix(0, 0)
	s := Step{Cell: Cell{Scenario: &Scenario{Name: "connections"}, Case: Case{Name: "connections=50"}, Target: "reactor"}, Round: 2, Duration: time.Second}
	p.begin(0, 3, 3*s.Takes(), now)
	p.step(s, now)
	// It took twice as long as estimated: so will the rest.
	now = now.Add(2 * s.Takes())
	p.ended(s, results.Trial{}, now)
	p.step(s, now)
	if got, want := p.remaining(), 4*s.Takes(); got != want {
		t.Errorf("%v left, want %v", got, want)
	}
	p.ended(s, results.Trial{Error: "no"}, now)
	p.end()
	for _, line := range strings.Split(out.String(), "\r\x1b[K") {
		if len([]rune(strings.TrimSuffix(line, "\n"))) > 72 {
			t.Errorf("wider than the terminal: %q", line)
		}
	}
	if !strings.Contains(out.String(), "2/3  connections connections=50  reactor  round 2  0:03, 0:05 left") {
		t.Errorf("%q", out.String())
	}
	for d, want := range map[time.Duration]string{0: "0:00", 65 * time.Second: "1:05", 3723 * time.Second: "1:02:03", -time.Second: "0:00"} {
		if got := clock(d); got != want {
			t.Errorf("%v: %q", d, got)
		}
	}
}
