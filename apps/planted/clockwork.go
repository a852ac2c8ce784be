package planted

import (
	"container/heap"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// clockwork calls functions at set times. A loop's own timers tick in milliseconds, and so do Go's where nothing else
// happens; this is a goroutine that waits for a timerfd, which has no ticks and no slack. It waits in Go's poller and not
// in a blocking read: on the way into one a thread keeps its P, and with it whoever was woken a moment ago. It lives as
// long as the process.
type clockwork struct {
	begin time.Time
	base  time.Duration // CLOCK_MONOTONIC at begin
	timer *os.File
	fd    int // of timer

	mu      sync.Mutex // guards what follows
	pending events
	last    uint64
}

// event is one call to come.
type event struct {
	due  time.Duration // since begin
	seq  uint64        // in the order in which they were set
	fire func()
}

// newClockwork starts a clock at 0. It is without a timer until start.
func newClockwork() *clockwork { return &clockwork{begin: time.Now()} }

// start makes the timer, so that at may be called.
func (c *clockwork) start() error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("timerfd_create: %w; raise the limit of open files", err)
	}
	now := c.now() // before the other clock is read: the timer must not be early
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		unix.Close(fd)
		return fmt.Errorf("clock_gettime: %w", err)
	}
	c.base, c.fd, c.timer = time.Duration(t.Nano())-now, fd, os.NewFile(uintptr(fd), "timerfd")
	go c.run()
	return nil
}

// now returns the time since the start. Any goroutine may call it; it is one vDSO read.
func (c *clockwork) now() time.Duration { return time.Since(c.begin) }

// at has fire called at due, never before it, on the clockwork's goroutine: it must not block. What is due at the same
// time is called in the order in which it was set. Any goroutine may call it.
func (c *clockwork) at(due time.Duration, fire func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	heap.Push(&c.pending, event{due, c.last, fire})
	if c.pending[0].seq == c.last {
		c.arm()
	}
}

// arm sets the timer to the first event. The caller holds mu.
func (c *clockwork) arm() {
	due := c.base + max(c.pending[0].due, 1)
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(due))}
	if err := unix.TimerfdSettime(c.fd, unix.TFD_TIMER_ABSTIME, &spec, nil); err != nil {
		panic("planted: a timer that was made cannot be set: " + err.Error())
	}
}

// run waits and calls.
func (c *clockwork) run() {
	var expired [8]byte
	var due []event
	for {
		if _, err := c.timer.Read(expired[:]); err != nil {
			panic("planted: a timer that was made cannot be read: " + err.Error())
		}
		due = c.take(due[:0])
		for i := range due {
			due[i].fire()
			due[i].fire = nil
		}
	}
}

// take moves what is due to dst and arms the timer for the rest.
func (c *clockwork) take(dst []event) []event {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	for len(c.pending) > 0 && c.pending[0].due <= now {
		dst = append(dst, heap.Pop(&c.pending).(event))
	}
	if len(c.pending) > 0 {
		c.arm()
	}
	return dst
}

// events is a heap, the earliest first. Its length is bounded by the requests in flight, one event each.
type events []event

func (e events) Len() int { return len(e) }

func (e events) Less(i, j int) bool {
	return e[i].due < e[j].due || e[i].due == e[j].due && e[i].seq < e[j].seq
}

func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }

// Push implements heap.Interface.
func (e *events) Push(x any) { *e = append(*e, x.(event)) }

// Pop implements heap.Interface.
func (e *events) Pop() any {
	old := *e
	last := old[len(old)-1]
	old[len(old)-1] = event{}
	*e = old[:len(old)-1]
	return last
}
