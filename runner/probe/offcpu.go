package probe

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// preemptedFrame is below the root of time off the CPU in which the thread could have run.
const preemptedFrame = "[preempted]"

// schedConverter makes of what the scheduler did the time that the server's threads were off the CPU, and how long they waited
// for one after they were woken.
type schedConverter struct {
	*served
	built   *stackBuilder
	threads map[int]*schedThread // by tid: those known to be the server's
	wakeUps WakeUps
	others  uint64        // times that other threads left a CPU
	last    time.Duration // of the kernel's clock, when something happened
}

// schedThread is what is known of a thread.
type schedThread struct {
	where     whereabouts
	left      time.Duration // when it left the CPU
	stack     []*symbol     // with which it did
	program   string
	preempted bool
	woken     time.Duration // 0: it was not
}

// whereabouts is where a thread is: it is not known at first, nor after something was lost.
type whereabouts int

const (
	nowhere whereabouts = iota
	onCPU
	offCPU
)

func newSchedConverter(s *served, tids []int) *schedConverter {
	c := &schedConverter{served: s, built: newStackBuilder(), threads: make(map[int]*schedThread)}
	for _, tid := range tids {
		c.threads[tid] = &schedThread{}
	}
	return c
}

// lost forgets where the threads are: with what is missing, times would be too long.
func (c *schedConverter) lost() {
	for _, t := range c.threads {
		t.where, t.woken, t.preempted = nowhere, 0, false
	}
}

func (c *schedConverter) sample(s *scriptSample) {
	c.last = s.time
	switch {
	case strings.HasPrefix(s.event, eventSwitch):
		state, next, ok := parseSwitch(s.fields)
		if !ok {
			return
		}
		c.leave(s, state)
		if t := c.threads[next]; t != nil {
			c.enter(t, s.time)
		}
	case strings.HasPrefix(s.event, eventWakeup):
		tid, ok := parseWakeup(s.fields)
		// Who is woken before it has left the CPU does not wait for one; leaving takes the wake-up of an unknown place back.
		if t := c.threads[tid]; ok && t != nil && t.where != onCPU && !t.preempted && t.woken == 0 {
			t.woken = s.time
		}
	}
}

// leave takes in that the thread of the sample left its CPU.
func (c *schedConverter) leave(s *scriptSample, state string) {
	program := c.programs[s.pid]
	if program == "" {
		if s.pid != 0 {
			c.others++
		}
		return
	}
	if strings.ContainsAny(state, "XZx") { // for good
		delete(c.threads, s.tid)
		return
	}
	t := c.threads[s.tid]
	if t == nil {
		t = &schedThread{}
		c.threads[s.tid] = t
	}
	*t = schedThread{where: offCPU, left: s.time, stack: append(t.stack[:0], s.stack...), program: program, preempted: strings.HasPrefix(state, "R")}
}

// enter takes in that a thread runs.
func (c *schedConverter) enter(t *schedThread, now time.Duration) {
	if t.where == offCPU {
		c.add(t, now)
	}
	if t.woken > 0 {
		c.wakeUps.add(int64(now - t.woken))
	}
	t.where, t.woken, t.preempted = onCPU, 0, false
}

// add counts the time that a thread was off the CPU until now.
func (c *schedConverter) add(t *schedThread, now time.Duration) {
	roots := []string{t.program}
	if t.preempted {
		roots = append(roots, preemptedFrame)
	}
	c.built.add(int64(max(0, now-t.left)), t.stack, roots...)
}

// end takes in that the recording is over.
func (c *schedConverter) end() {
	for _, tid := range slices.Sorted(maps.Keys(c.threads)) {
		t := c.threads[tid]
		if t.where == offCPU {
			c.add(t, c.last)
		}
		if t.woken > 0 {
			c.wakeUps.Unseen++
		}
	}
}

// profile is what the recording became. It sets what s says of it.
func (c *schedConverter) profile(s *Sampled) (err error) {
	s.Others = c.others
	s.Profile, s.Samples, err = c.built.finish("delay", c.program, s)
	return err
}

// perf prints the fields of tracepoints in the kernel's words, or in its own where it has a plugin for them. Names of threads
// may have anything in them: only what comes last counts.
var (
	switchWords  = regexp.MustCompile(`prev_state=([^ ]+) ==> next_comm=.* next_pid=(\d{1,9}) next_prio=-?\d+$`)
	switchPlugin = regexp.MustCompile(`\[-?\d+\] ([A-Za-z|+]+) ==> .*:(\d{1,9}) \[-?\d+\]$`)
	wakeupWords  = regexp.MustCompile(`.* pid=(\d{1,9}) prio=-?\d+ .*target_cpu=\d+`)
	wakeupPlugin = regexp.MustCompile(`.*:(\d{1,9}) \[-?\d+\].* CPU:\d+`)
)

// parseSwitch returns the state in which a thread left the CPU and the thread that it made way for.
func parseSwitch(fields string) (state string, next int, ok bool) {
	m := switchWords.FindStringSubmatch(fields)
	if m == nil {
		m = switchPlugin.FindStringSubmatch(fields)
	}
	if m == nil {
		return "", 0, false
	}
	next, _ = strconv.Atoi(m[2]) // the expressions let only numbers pass
	return m[1], next, true
}

// parseWakeup returns the thread that was woken.
func parseWakeup(fields string) (tid int, ok bool) {
	m := wakeupWords.FindStringSubmatch(fields)
	if m == nil {
		m = wakeupPlugin.FindStringSubmatch(fields)
	}
	if m == nil {
		return 0, false
	}
	tid, _ = strconv.Atoi(m[1]) // the expressions let only numbers pass
	return tid, true
}
