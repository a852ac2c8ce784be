package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"corelab/results"
)

// Lab tries one step. [Bay] does on this machine.
type Lab interface {
	// Trial runs the step and returns what it found, an Error in it where there was one. It leaves no process behind,
	// whatever happens, and returns early when ctx ends.
	Trial(ctx context.Context, s Step) results.Trial
}

// Record is where trials go; results.Writer is one.
type Record interface {
	Append(results.Trial) error
	End(results.End) error
}

// Bench runs the steps of a plan, one after the other, and writes each down before the next begins.
type Bench struct {
	Steps    []Step
	Skipped  []Cell
	Lab      Lab
	Record   Record
	Progress *Progress
	Budget   time.Duration // of the whole; 0: none. What is left when it is used up by a tenth more is left out, aloud
	Done     int           // trials of the same run that were recorded before it was interrupted
	Used     time.Duration // the time that these took
	Rescue   io.Writer     // gets what could not be written into the record, one JSON line a trial
	Now      func() time.Time

	unwritten []results.Trial
	full      bool // the last write failed
	trials    int
}

// overdraft is how far a run may go beyond its budget, in which the estimate was wrong: a tenth.
const overdraft = 10

// Run runs all steps, or those until ctx ends, and closes the record. An error is about the record: whatever could not be
// written in the end has gone to Rescue. What goes wrong with a trial stands in that trial.
func (b *Bench) Run(ctx context.Context) (results.End, error) {
	began := b.Now()
	for _, c := range b.Skipped {
		b.write(results.Trial{
			Scenario: c.Scenario.Name, Case: c.Case.Name, Target: c.Target, Role: c.Role, Round: 1,
			Placement: string(c.Scenario.Placement), Started: b.Now(), Skipped: c.Skipped,
		})
	}
	left := total(b.Steps)
	b.Progress.begin(b.Done, len(b.Steps), left, began)
	for _, s := range b.Steps {
		if ctx.Err() != nil {
			break
		}
		if limit := b.Budget + b.Budget/overdraft; b.Budget > 0 && s.Round > 1 && b.Used+b.Now().Sub(began) > limit {
			b.Progress.Say("the budget of %v is used up: round %d and what follows is left out", b.Budget, s.Round)
			break
		}
		b.Progress.step(s, b.Now())
		t := b.Lab.Trial(ctx, s)
		if ctx.Err() != nil {
			break // cut short: it measured nothing
		}
		b.trials++
		b.write(t)
		b.Progress.ended(s, t, b.Now())
	}
	interrupted := ctx.Err() != nil
	b.Progress.end()
	end := results.End{Ended: b.Now(), Elapsed: b.Used + b.Now().Sub(began), Trials: b.Done + b.trials, Interrupted: interrupted}
	b.flush()
	err := b.rescue()
	return end, errors.Join(err, b.Record.End(end))
}

// write appends t, and before it all that could not be written earlier: a disk that was full may have room again.
func (b *Bench) write(t results.Trial) {
	b.unwritten = append(b.unwritten, t)
	b.flush()
}

func (b *Bench) flush() {
	for len(b.unwritten) > 0 {
		if err := b.Record.Append(b.unwritten[0]); err != nil {
			if !b.full {
				b.Progress.Say("%v; the run goes on and keeps its trials in memory: make room, and they are written", err)
			}
			b.full = true
			return
		}
		if b.full {
			b.Progress.Say("the record can be written again; nothing was lost")
		}
		b.full = false
		b.unwritten = b.unwritten[1:]
	}
}

// rescue hands out what the record could not take.
func (b *Bench) rescue() error {
	if len(b.unwritten) == 0 {
		return nil
	}
	enc := json.NewEncoder(b.Rescue)
	for _, t := range b.unwritten {
		t.Kind = results.KindTrial
		if err := enc.Encode(t); err != nil {
			return fmt.Errorf("write %d trials that the record could not take: %w", len(b.unwritten), err)
		}
	}
	return fmt.Errorf("%d trials could not be written into the record: they stand above as JSON lines; append them to run.jsonl before its last line, once there is room", len(b.unwritten))
}
