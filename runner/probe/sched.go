package probe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// SchedBound is how long the scheduler is recorded where a RecordSpec leaves it open. A busy server switches a hundred thousand
// times a second, each with its stack.
const SchedBound = 300 * time.Millisecond

// What the scheduler is recorded by: who left the CPU for whom, with the stack of the one who left, and who was woken.
const (
	eventSwitch    = "sched:sched_switch"
	eventWakeup    = "sched:sched_wakeup"
	eventWakeupNew = "sched:sched_wakeup_new"
)

// SchedRecording is one perf record under way, of what the scheduler does. Its methods may be called from any goroutine.
type SchedRecording struct {
	spec    RecordSpec
	session *session
	threads []int // of the server at the begin
}

// SchedAvailable is nil where perf can record what the scheduler does, else the reason why not, with what to do about it. It
// mounts tracefs where it is missing and this process may.
func SchedAvailable() error {
	if err := PerfAvailable(); err != nil {
		return err
	}
	if err := schedTracing(); err != nil {
		return fmt.Errorf("trace the scheduler: %w", err)
	}
	return nil
}

// schedTracing finds the tracepoints and asks the kernel for one of them on a whole CPU.
func schedTracing() error {
	if err := mountTracing(); err != nil {
		return err
	}
	for _, event := range []string{"sched_switch", "sched_wakeup", "sched_wakeup_new"} {
		_, err := eventID(tracefs + "/events/sched/" + event)
		if errors.Is(err, fs.ErrNotExist) {
			return errors.New("this kernel traces no scheduler (CONFIG_TRACEPOINTS, CONFIG_EVENT_TRACING)")
		}
		if err != nil {
			return fmt.Errorf("%w; run as root", err)
		}
	}
	return clockAllowed(-1, 0)
}

// RecordSched begins to record on all CPUs when a thread leaves one and when it is woken, and returns when perf really does. It
// ends with Stop, or by itself after the spec's Bound; the end of ctx kills it and leaves neither a process nor a file. The
// spec's CPUs, Rate and Unwind say nothing here: a thread may be woken from any CPU, every event counts, and stacks are followed
// by frame pointers, for copies of the stacks of every switch would fill any buffer.
func RecordSched(ctx context.Context, spec RecordSpec) (*SchedRecording, error) {
	perf, err := perfPath()
	if err == nil {
		err = schedTracing()
	}
	if err != nil {
		return nil, fmt.Errorf("trace the scheduler: %w", err)
	}
	r := &SchedRecording{spec: spec.filled(SchedBound)}
	r.session, err = record(ctx, perf, r.spec, []string{"-a", "-c", "1",
		"-e", eventSwitch + "/call-graph=fp/", "-e", eventWakeup + "/call-graph=no/", "-e", eventWakeupNew + "/call-graph=no/"})
	if err != nil {
		return nil, fmt.Errorf("trace the scheduler: %w", err)
	}
	r.threads = threads(r.session.server.list())
	return r, nil
}

// Begin begins to record at once, once, in a recording that was Held.
func (r *SchedRecording) Begin() error {
	r.threads = append(r.threads, threads(r.session.server.list())...)
	if err := r.session.begin(r.spec.Bound); err != nil {
		return fmt.Errorf("trace the scheduler: %w", err)
	}
	return nil
}

// Done is closed when the recording has ended, by Stop, by its bound or with perf.
func (r *SchedRecording) Done() <-chan struct{} { return r.session.done }

// Stop ends the recording and converts it, which takes some seconds; ctx bounds both. Nothing is left of it, whatever it
// returns. It is called once.
//
// The profile has the time that the server's threads were off the CPU, by the stack with which they left it. The one that could
// have gone on, but had to make way, has the frame "[preempted]" below its root. Time after which a thread was not back before the
// end counts up to the end; a thread that slept throughout is not in it.
func (r *SchedRecording) Stop(ctx context.Context) (*Sampled, *WakeUps, error) {
	defer r.session.remove()
	server := r.session.server
	server.look(r.spec.Pids())
	tids := append(r.threads, threads(server.list())...)
	if err := r.session.stop(ctx); err != nil {
		return nil, nil, fmt.Errorf("trace the scheduler: %w", err)
	}
	c := newSchedConverter(server, tids)
	counts, err := r.session.script(ctx, c)
	if err != nil {
		return nil, nil, fmt.Errorf("convert the scheduler's trace: %w", err)
	}
	c.end()
	s := &Sampled{Event: eventSwitch, Elapsed: r.session.elapsed(), Lost: counts.lost, Command: r.session.command()}
	if err := c.profile(s); err != nil {
		return nil, nil, fmt.Errorf("convert the scheduler's trace: %w", err)
	}
	return s, &c.wakeUps, nil
}
