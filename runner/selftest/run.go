package selftest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"corelab/results"
	"corelab/runner"
	"corelab/runner/load"
	"corelab/runner/target"
)

// Bench runs a selftest. One goroutine uses it.
type Bench struct {
	Lab     runner.Lab                // a runner.Bay with the targets of Targets
	Seed    uint64                    // of the Lab as well: by it the arrivals are known
	Plants  []*Plant                  // in this order
	Foreign bool                      // the other generators as well
	Spare   time.Duration             // for repeating what others disturbed; 0: half of the estimated time
	Append  func(results.Trial) error // writes a trial down before the next begins
	Say     func(Progress)            // before each trial; nil says nothing

	position int
	spent    time.Duration // on tries beyond the first
}

// Progress is where a selftest is.
type Progress struct {
	Plant     *Plant
	Number    int // of the plant, from 1
	Of        int
	Try       int              // from 1
	Generator runner.Generator // who loads
	Left      time.Duration    // estimated, without repeats
}

// Choose returns the plants of those names, or those of the short selftest, or all.
func Choose(names []string, quick bool) ([]*Plant, error) {
	var chosen []*Plant
	for i := range Plants {
		p := &Plants[i]
		if len(names) > 0 && slices.Contains(names, p.Name) || len(names) == 0 && (p.Quick || !quick) {
			chosen = append(chosen, p)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(Plants, func(p Plant) bool { return p.Name == name }) {
			var known []string
			for i := range Plants {
				known = append(known, Plants[i].Name)
			}
			return nil, fmt.Errorf("no plant is called %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}

// Estimate is how long the plants take where nothing must be repeated.
func Estimate(plants []*Plant, foreign bool) (d time.Duration) {
	for _, p := range plants {
		d += p.time()
		if foreign && p.Foreign != nil {
			d += time.Duration(len(p.Foreign.By)) * (p.Foreign.Last + overhead)
		}
	}
	return d
}

// Targets returns the planted servers and their twin, by name and in order. The core is reactor, with one loop.
func Targets(env target.Env, plants []*Plant) (order []string, specs map[string]target.Spec, err error) {
	specs = map[string]target.Spec{}
	add := func(name string, flags []string) error {
		spec, err := target.Parse("reactor --app planted "+strings.Join(flags, " "), env)
		if err != nil {
			return fmt.Errorf("plant %s: %w", name, err)
		}
		spec.Name = name
		order, specs[name] = append(order, name), spec
		return nil
	}
	err = add(twin, nil)
	for _, p := range plants {
		if err == nil {
			err = add(p.Name, p.Flags)
		}
	}
	return order, specs, err
}

// Scenario is the record of what was asked.
func Scenario(plants []*Plant) results.Scenario {
	s := results.Scenario{Name: Name, Question: "Does the lab report what is known to be so?",
		Why:  "Whoever believes a figure should know that it was right where the truth was planted.",
		Load: "GET /planted, for each plant in its own way"}
	for _, p := range plants {
		s.Cases = append(s.Cases, p.Name)
	}
	return s
}

// Run tries each plant until it can be judged, and returns how many trials that took. It ends early when ctx does. The error
// is that of a record that could not be written.
func (b *Bench) Run(ctx context.Context) (trials int, err error) {
	left := Estimate(b.Plants, b.Foreign)
	spare := b.Spare
	if spare == 0 {
		spare = left / 2
	}
	for i, p := range b.Plants {
		at := Progress{Plant: p, Number: i + 1, Of: len(b.Plants), Generator: runner.ByCorelab, Left: left}
		if err := b.plant(ctx, at, spare); err != nil || ctx.Err() != nil {
			return b.position, err
		}
		left -= p.time()
		if !b.Foreign || p.Foreign == nil {
			continue
		}
		at.Try = 1
		for _, by := range p.Foreign.By {
			at.Generator, at.Left = by, left
			left -= p.Foreign.Last + overhead
			if err := b.foreign(ctx, at); err != nil || ctx.Err() != nil {
				return b.position, err
			}
		}
	}
	return b.position, nil
}

// plant runs the tries of one plant. Those for which the machine was too busy are repeated while there is time to spare.
func (b *Bench) plant(ctx context.Context, at Progress, spare time.Duration) error {
	var tries []try
	for at.Try = 1; ; at.Try++ {
		t := try{seed: b.Seed}
		for _, trial := range at.Plant.Trials {
			found, err := b.trial(ctx, at, at.Plant.step(trial, at.Try, b.position+1))
			if err != nil || ctx.Err() != nil {
				return err
			}
			t.trials = append(t.trials, &found)
		}
		tries = append(tries, t)
		if at.Try > 1 {
			b.spent += at.Plant.time()
		}
		_, done := at.Plant.settle(tries)
		_, state := at.Plant.judge(t)
		if done || state == disturbed && b.spent+at.Plant.time() > spare {
			return nil
		}
	}
}

// foreign runs one trial by another generator, where it is installed.
func (b *Bench) foreign(ctx context.Context, at Progress) error {
	g, ok := load.Find(string(at.Generator))
	if !ok || g.Available() != nil {
		return nil
	}
	s, can := at.Plant.foreign(at.Generator, b.position+1)
	if !can {
		return nil
	}
	s.Role = results.RoleSecond
	_, err := b.trial(ctx, at, s)
	return err
}

// trial runs one, and writes it down unless it was cut short.
func (b *Bench) trial(ctx context.Context, at Progress, s runner.Step) (results.Trial, error) {
	if b.Say != nil {
		b.Say(at)
	}
	t := b.Lab.Trial(ctx, s)
	if ctx.Err() != nil {
		return t, nil
	}
	b.position++
	return t, b.Append(t)
}
