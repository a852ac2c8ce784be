package runner

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"time"

	"github.com/google/pprof/profile"

	"corelab/results"
	"corelab/runner/probe"
	"corelab/runner/target"
)

// How the window of a profiled trial is shared out. Two profilers would see each other, so that they take turns: perf's
// sampling, perf's trace of the scheduler, and last Go's own profiles, the only ones that the server itself works for.
const (
	// ProfileTime is how long perf samples where an Ask leaves it open: that is thousands of stacks of a busy CPU.
	ProfileTime = 3 * time.Second
	// MaxProfile bounds it: perf's samples of so long are read within a minute.
	MaxProfile = 30 * time.Second

	schedTime = probe.SchedBound
	ownTime   = time.Second
	turnLag   = 200 * time.Millisecond // from one turn to the next
	ownLag    = 300 * time.Millisecond // until the server has handed its own out

	// lateTurn is the part of a profiler's turn that may lie behind the load's end.
	lateTurn = 10
	// ownRate is that of Go's sampling of the CPU, which it does not let one choose.
	ownRate = 100
)

// ownKinds are the profiles that our cores take themselves.
var ownKinds = []string{results.ProfileGoCPU, results.ProfileHeap, results.ProfileBlock, results.ProfileMutex, results.ProfileGoroutine}

// profilers are what can record a target here: nil, or the reason why not.
type profilers struct {
	cpu, sched error
	own        bool // it is a core of ours
}

// window is how long the load of a profiled trial lasts, in which perf samples for so long.
func (p profilers) window(sampling time.Duration) time.Duration {
	var d time.Duration
	if p.cpu == nil {
		d += turnLag + sampling
	}
	if p.sched == nil {
		d += turnLag + schedTime
	}
	if p.own {
		d += ownTime + ownLag
	}
	if d == 0 {
		return sampling
	}
	return d + readAhead
}

// profilers asks the machine once, and says what there is for the target.
func (b *Bay) profilers(name string) profilers {
	if b.perf == nil {
		b.perf = &profilers{cpu: probe.PerfAvailable(), sched: probe.SchedAvailable()}
	}
	p := *b.perf
	p.own = b.Targets[name].Kind == target.KindCore
	return p
}

// recording is one profiler's work, which is held until its turn. Stop is called once, behind the load: reading what was
// recorded takes its time.
type recording interface {
	Begin() error
	Done() <-chan struct{}
	Stop(ctx context.Context) (*probe.Sampled, *probe.WakeUps, error)
}

type cpuRecording struct{ *probe.Recording }

func (r cpuRecording) Stop(ctx context.Context) (*probe.Sampled, *probe.WakeUps, error) {
	s, err := r.Recording.Stop(ctx)
	return s, nil, err
}

// profiler gets a recording ready, which samples for the spec's Bound, and is killed with its context.
type profiler func(context.Context, probe.RecordSpec) (recording, error)

func recordCPU(ctx context.Context, spec probe.RecordSpec) (recording, error) {
	r, err := probe.RecordCPU(ctx, spec)
	if err != nil {
		return nil, err
	}
	return cpuRecording{r}, nil
}

func recordSched(ctx context.Context, spec probe.RecordSpec) (recording, error) {
	r, err := probe.RecordSched(ctx, spec)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// confessor is a server that profiles itself, such as a *target.Process of a core.
type confessor interface {
	BeginProfiles(context.Context) error
	EndProfiles(context.Context) (map[string][]byte, error)
}

// turn is what one of perf's profilers has of the window.
type turn struct {
	kind  string
	takes time.Duration
	begin time.Duration // from the window's
	rec   recording     // nil where there is none, or it was stopped
	err   error
}

// profiling takes the profiles of one trial: prepare comes before the load, watch runs beside it, and settle comes behind it.
type profiling struct {
	can        profilers
	sampling   time.Duration
	spec       probe.RecordSpec
	cpu, sched profiler
	server     confessor
	started    time.Time // the server was

	begun      bool // the window has
	turns      []turn
	own        map[string][]byte // by kind
	ownErr     error
	ownBegin   time.Duration
	ownElapsed time.Duration
	livedFor   time.Duration // from the server's start to the end of its own profiles
}

// profiling is what profiles the step's target.
func (r round) profiling() *profiling {
	return &profiling{
		can: r.bay.profilers(r.step.Target), sampling: r.step.Duration, cpu: recordCPU, sched: recordSched, server: r.server, started: r.started,
		spec: probe.RecordSpec{CPUs: r.place.Server, Pids: r.server.Pids, Unwind: unwinding(r.server.Pids()), Dir: r.bay.Dir},
	}
}

// unwinding says how the stacks of a server can be followed. Go keeps frame pointers; servers from a distribution's packages
// mostly do not, and are followed by copies of their stacks.
func unwinding(pids []int) string {
	if slices.ContainsFunc(pids, func(pid int) bool {
		_, err := buildinfo.ReadFile("/proc/" + strconv.Itoa(pid) + "/exe")
		return err == nil
	}) {
		return probe.UnwindFP
	}
	return probe.UnwindDwarf
}

// prepare gets perf ready, which takes it a second and more on a machine that is loaded; the end of trial kills it.
func (p *profiling) prepare(trial context.Context) {
	add := func(kind string, by profiler, takes time.Duration) {
		spec := p.spec
		spec.Bound, spec.Held = takes, true
		t := turn{kind: kind, takes: takes}
		t.rec, t.err = by(trial, spec)
		p.turns = append(p.turns, t)
	}
	if p.can.cpu == nil {
		add(results.ProfileCPU, p.cpu, p.sampling)
	}
	if p.can.sched == nil {
		add(results.ProfileOffCPU, p.sched, schedTime)
	}
}

// watch lets the profilers have their turns between begin and end, or until window ends, when the generator has ended; the
// end of trial ends the server's own.
func (p *profiling) watch(trial, window context.Context, begin, end time.Time) {
	if !sleepUntil(window, begin) {
		return
	}
	p.begun = true
	end = end.Add(-readAhead)
	for i := range p.turns {
		if t := &p.turns[i]; t.err == nil {
			t.err = t.take(window, begin, end)
		}
	}
	if p.can.own {
		p.confess(trial, window, begin, end)
	}
}

// take records.
func (t *turn) take(window context.Context, begin, end time.Time) error {
	if err := t.rec.Begin(); err != nil {
		return err
	}
	now := time.Now()
	t.begin = now.Sub(begin)
	select {
	case <-t.rec.Done():
	case <-window.Done():
	}
	if over := now.Add(t.takes).Sub(end); over > t.takes/lateTurn {
		return fmt.Errorf("perf began to record %v into the load, of which %v were left for %v: the machine is too busy",
			t.begin.Round(time.Millisecond), max(0, end.Sub(now)).Round(time.Millisecond), t.takes)
	}
	return nil
}

// confess has the server profile itself.
func (p *profiling) confess(trial, window context.Context, begin, end time.Time) {
	began := time.Now()
	p.ownBegin = began.Sub(begin)
	if p.ownErr = p.server.BeginProfiles(trial); p.ownErr != nil {
		return
	}
	until := began.Add(ownTime)
	if end.Before(until) {
		until = end
	}
	sleepUntil(window, until)
	p.own, p.ownErr = p.server.EndProfiles(trial)
	now := time.Now()
	p.ownElapsed, p.livedFor = now.Sub(began), now.Sub(p.started)
}

// settle reads what was recorded, has it kept, and puts it into t: what there is not, with the reason.
func (p *profiling) settle(ctx context.Context, t *results.Trial, keep func(kind string, b []byte) (string, error)) {
	if p.can.cpu != nil {
		lackProfile(t, results.ProfileCPU, p.can.cpu)
	}
	if p.can.sched != nil {
		lackProfile(t, results.ProfileOffCPU, p.can.sched)
	}
	for i := range p.turns {
		k := &p.turns[i]
		err := firstErr(k.err, p.unbegun())
		if err == nil {
			err = p.read(ctx, k, t, keep)
		}
		if err != nil {
			lackProfile(t, k.kind, err)
		}
	}
	if !p.can.own {
		return
	}
	for _, kind := range ownKinds {
		err := firstErr(p.unbegun(), p.ownErr)
		if err == nil {
			err = p.readOwn(kind, t, keep)
		}
		if err != nil {
			lackProfile(t, kind, err)
		}
	}
}

func (p *profiling) unbegun() error {
	if p.begun {
		return nil
	}
	return errors.New("the generator ended before the window in which its server was to be profiled")
}

// firstErr is the first that is one.
func firstErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// lackProfile says in t why there is no profile of the kind.
func lackProfile(t *results.Trial, kind string, err error) {
	t.Missing = append(t.Missing, results.Missing{Figure: "profiles." + kind, Reason: err.Error()})
	if kind == results.ProfileOffCPU {
		t.Missing = append(t.Missing, results.Missing{Figure: "run_queue", Reason: err.Error()})
	}
}

// read puts a turn's profile into t.
func (p *profiling) read(ctx context.Context, k *turn, t *results.Trial, keep func(string, []byte) (string, error)) error {
	s, wakeUps, err := k.rec.Stop(ctx)
	k.rec = nil
	if err != nil {
		return err
	}
	if s.Samples == 0 {
		return fmt.Errorf("perf saw nothing of the server in %v", s.Elapsed.Round(time.Millisecond))
	}
	var b bytes.Buffer
	if err := s.Profile.Write(&b); err != nil {
		return fmt.Errorf("write a profile: %w", err)
	}
	path, err := keep(k.kind, b.Bytes())
	if err != nil {
		return err
	}
	t.Profiles = append(t.Profiles, results.Profile{Kind: k.kind, Path: path, Event: s.Event, Rate: s.Rate, Begin: k.begin, Elapsed: s.Elapsed,
		Samples: s.Samples, Lost: s.Lost, Others: s.Others, Command: s.Command})
	t.Missing = append(t.Missing, prefixed("profiles."+k.kind+" ", s.Missing)...)
	if k.kind != results.ProfileOffCPU {
		return nil
	}
	if t.RunQueue, err = wakeUps.Latency(); err == nil && t.RunQueue == nil {
		err = errors.New("no thread of the server was woken while the scheduler was traced")
	}
	if err != nil {
		t.Missing = append(t.Missing, results.Missing{Figure: "run_queue", Reason: err.Error()})
	}
	return nil
}

// readOwn puts one of the server's own profiles into t.
func (p *profiling) readOwn(kind string, t *results.Trial, keep func(string, []byte) (string, error)) error {
	b, ok := p.own[kind]
	if !ok {
		return errors.New("the server hands out no such profile")
	}
	parsed, err := profile.ParseData(b)
	if err != nil {
		return fmt.Errorf("read what the server hands out: %w", err)
	}
	path, err := keep(kind, b)
	if err != nil {
		return err
	}
	e := results.Profile{Kind: kind, Path: path, Event: "go", Begin: p.ownBegin, Elapsed: p.ownElapsed}
	switch kind {
	case results.ProfileGoCPU:
		e.Rate = ownRate
	case results.ProfileHeap: // of all its life
		e.Begin, e.Elapsed = 0, p.livedFor
	case results.ProfileGoroutine: // of a moment
		e.Begin, e.Elapsed = p.ownBegin+p.ownElapsed, 0
	}
	for _, s := range parsed.Sample {
		e.Samples += uint64(max(0, s.Value[0]))
	}
	t.Profiles = append(t.Profiles, e)
	return nil
}

// close ends at once what settle has not stopped.
func (p *profiling) close() {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for _, t := range p.turns {
		if t.rec != nil {
			_, _, _ = t.rec.Stop(over) // an error says that it was cut off
		}
	}
}

// keepProfile stores a profile under a name that says what it is of.
func (r round) keepProfile(kind string, b []byte) (string, error) {
	if r.bay.KeepProfile == nil {
		return "", errors.New("this run keeps no profiles")
	}
	path, err := r.bay.KeepProfile(profileName(r.step, "", kind), b)
	if errors.Is(err, fs.ErrExist) { // two targets may differ in what no file name has
		path, err = r.bay.KeepProfile(profileName(r.step, fmt.Sprintf("-%d", r.step.Position), kind), b)
	}
	return path, err
}

// profileName is "connections-connections=50-reactor-cpu.pb.gz".
func profileName(s Step, more, kind string) string {
	return stepWords(s) + more + "-" + fileWord(kind) + ".pb.gz"
}

// profiled are the trials in which profilers record: one for each target in the cases that are profiled.
func (p *Plan) profiled() []Step {
	sampling := p.ask.Sampling
	if sampling <= 0 {
		sampling = ProfileTime
	}
	var out []Step
	for _, c := range p.courses {
		for _, k := range c.profiled {
			for _, s := range c.steps(k, p, 1) {
				if s.Role != results.RoleRanked || p.ask.Profiled != nil && !slices.Contains(p.ask.Profiled, s.Target) {
					continue
				}
				s.Role, s.Generator, s.Duration = results.RoleProfiled, ByCorelab, min(sampling, MaxProfile)
				out = append(out, s)
			}
		}
	}
	return out
}

// profiledCases are those of a closed loop's: the ones that were named, or else the first, for each takes seconds a target.
func profiledCases(c *course, named bool) []Case {
	switch {
	case c.scenario.Load.Loop != Closed || len(c.cases) == 0:
		return nil
	case named:
		return slices.Clone(c.cases)
	}
	return []Case{c.cases[0]}
}
