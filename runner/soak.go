package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"corelab/results"
	"corelab/runner/medley"
	"corelab/runner/probe"
	"corelab/runner/siege"
	"corelab/runner/target"
)

// What a soak takes, beside what is asked for.
const (
	soakTrickle = time.Second     // between two bytes of a hostile client
	soakBelow   = 900             // bytes per second of a body that trickles
	soakRamp    = 2 * time.Second // over which hostile clients come, or in half of the time that does not count
	soakUncount = 6               // of the time: see results.SoakOf
	soakLarge   = 300_000         // bytes of the large file under /static/
	soakAsks    = 2 * time.Second // for a server's own figures
)

// soakScenario is the name under which samples are recorded.
const soakScenario = "soak"

// Soak keeps a server under mixed traffic and writes a sample of it down now and then. Make one with its fields set; one
// goroutine uses it.
type Soak struct {
	Target  target.Spec
	Options target.Options // Stats and StaticDir are set here
	Asked   results.SoakAsked
	Clients int
	Seed    uint64
	Record  *Bench // whose Record, Progress, Rescue and Now are used

	began time.Time // of the traffic
	foes  []*horde
	order int
}

// horde is the hostile clients of one kind.
type horde struct {
	spec   siege.Spec
	attack results.Attack
	err    error
}

// Run soaks the server until the time is up or ctx ends, and closes the record. An error is about the record or the machine;
// what went wrong with the server stands in the last sample.
func (s *Soak) Run(ctx context.Context) (results.End, error) {
	b := s.Record
	began := b.Now()
	if err := s.run(ctx); err != nil && ctx.Err() == nil {
		s.write(results.Trial{Error: err.Error()})
	}
	b.Progress.end()
	end := results.End{Ended: b.Now(), Elapsed: b.Now().Sub(began), Trials: b.trials, Interrupted: ctx.Err() != nil}
	b.flush()
	err := b.rescue()
	return end, errors.Join(err, b.Record.End(end))
}

func (s *Soak) write(t results.Trial) {
	s.order++
	t.Scenario, t.Target, t.Role, t.Round, t.Position = soakScenario, s.Target.Name, results.RoleSoak, s.order, s.order
	t.Placement = probe.PlaceShared
	if t.Started.IsZero() {
		t.Started = s.Record.Now()
	}
	s.Record.trials++
	s.Record.write(t)
}

// run starts the server, lets the clients loose, and samples.
func (s *Soak) run(ctx context.Context) error {
	dir, files, err := s.files()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s.Options.StaticDir, s.Options.Stats = dir, s.Target.Kind == target.KindCore
	server, err := target.Start(ctx, s.Target, s.Options)
	if err != nil {
		return err
	}
	defer func() {
		if err := server.Stop(stopGrace); err != nil {
			s.Record.Progress.Say("%v", err)
		}
	}()
	calls, left, err := medley.Learn(ctx, server.Addr(), medley.Deck(files))
	if err != nil {
		return err
	}
	if len(left) > 0 {
		s.Record.Progress.Say("not asked for: %s", strings.Join(left, "; "))
	}
	loose, stop := context.WithCancel(ctx)
	defer stop()
	var hordes sync.WaitGroup
	defer hordes.Wait()
	defer stop()
	s.began = time.Now()
	for _, kind := range results.SiegeKinds {
		h := &horde{spec: s.spec(kind, server.Addr())}
		s.foes = append(s.foes, h)
		if s.Asked.Foes > 0 {
			hordes.Go(func() { h.attack, h.err = siege.Lay(loose, h.spec, nil) })
		}
	}
	traffic := medley.Start(loose, medley.Spec{Addr: server.Addr(), Clients: s.Clients, Rate: s.Asked.Rate, Seed: s.Seed, Calls: calls})
	err = s.sample(ctx, server, traffic)
	stop()
	traffic.Wait()
	hordes.Wait()
	for _, h := range s.foes {
		if h.err != nil {
			err = errors.Join(err, fmt.Errorf("the hostile clients, %s: %w", h.spec.Kind, h.err))
		}
	}
	return err
}

// files makes what is served under /static/. The folder is the caller's to remove.
func (s *Soak) files() (dir string, names []string, err error) {
	if dir, err = os.MkdirTemp("", "corelab-soak-"); err != nil {
		return "", nil, fmt.Errorf("make the folder for /static/: %w", err)
	}
	for name, size := range map[string]int{"small.txt": 1000, "large.bin": soakLarge} {
		b := make([]byte, size)
		for i := range b {
			b[i] = 'a' + byte(i%26)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
			os.RemoveAll(dir)
			return "", nil, fmt.Errorf("make a file for /static/: %w", err)
		}
		names = append(names, name)
	}
	return dir, names, nil
}

// spec is the hostile clients of one kind, as long as the soak lasts.
func (s *Soak) spec(kind, addr string) siege.Spec {
	return siege.Spec{Addr: addr, Kind: kind, Foes: max(s.Asked.Foes, 1), Ramp: min(soakRamp, s.Asked.For/soakUncount), Hold: s.Asked.For + soakRamp + soakAsks, Every: soakTrickle, Rate: soakBelow,
		Large: "/bytes/1048576", Slow: "/echo", Plain: "/plaintext", Seed: s.Seed}
}

// sample writes a sample each so often. It ends with the time, with ctx, or with the server.
func (s *Soak) sample(ctx context.Context, server *target.Process, traffic *medley.Traffic) error {
	for n := 1; ; n++ {
		at := s.began.Add(min(time.Duration(n)*s.Asked.Every, s.Asked.For))
		timer := time.NewTimer(time.Until(at))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-server.Exited():
			timer.Stop()
			return fmt.Errorf("the server ended during the soak: %w", server.Err())
		}
		t := s.look(ctx, server, traffic)
		s.write(t)
		s.Record.Progress.tell(fmt.Sprintf("%s: %s of %v, %d answers, %.1f MiB, %d files, %d errors", s.Target.Name, clock(t.Soak.At), s.Asked.For, t.Soak.Answers,
			float64(t.Soak.Memory)/1024, t.Soak.Files, t.Soak.Errors), s.Record.Now())
		if time.Since(s.began) >= s.Asked.For {
			return nil
		}
	}
}

// look is one sample.
func (s *Soak) look(ctx context.Context, server *target.Process, traffic *medley.Traffic) results.Trial {
	t := results.Trial{Started: time.Now()}
	pids, c := server.Pids(), traffic.Counts()
	anonymous, all := resident(pids)
	t.Soak = &results.Soak{At: time.Since(s.began), Memory: anonymous, RSS: all, Files: openFiles(pids), Threads: probe.Threads(pids),
		Answers: c.Answers, Churn: c.Connections, Errors: c.Errors, Example: c.Example}
	if !s.Options.Stats {
		return t
	}
	ctx, cancel := context.WithTimeout(ctx, soakAsks)
	defer cancel()
	stats, err := server.Stats(ctx)
	if err != nil {
		t.Missing = append(t.Missing, results.Missing{Figure: "goroutines", Reason: err.Error()})
		return t
	}
	t.Soak.Goroutines, t.Soak.HeapKiB = &stats.Runtime.Goroutines, &stats.Runtime.HeapKiB
	var accepted uint64
	for _, w := range stats.Workers {
		accepted += w.Accepted
	}
	t.Soak.Accepted = accepted
	return t
}
