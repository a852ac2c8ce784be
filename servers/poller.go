package servers

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// maxEvents bounds the events of one turn.
	maxEvents = 256
	// rawWait is the gap between events above which a poller is quiet, and the bound of a raw wait that is brief.
	rawWait = time.Millisecond
	// preemption is more than the runtime lets a goroutine have its P before it sends a signal: a raw wait ends by then.
	preemption = 100 * time.Millisecond
)

// poller waits for descriptors, and for a wake from another goroutine.
//
// How it waits is the largest cost that a Go loop has over a C one. An ordinary blocking system call makes the runtime take
// the P away after some 20 µs and look for another thread to run it, and look for a P again when the call returns: here
// 18 % of the CPU time of a small request. A raw system call keeps the P and costs nothing, but its thread runs no other
// goroutine meanwhile. The runtime interrupts it by a signal (SIGURG), again and again until it is heard, when it wants to
// stop the world, to scan the stack, or to run somebody else after 10 ms: the call returns EINTR, and the next function's
// prologue yields.
//
// So a poller has two moods. While events follow each other it waits raw. When a raw wait ends without an event, by that
// signal 10 to 20 ms after the last one, it is quiet: it lets other goroutines run, and blocks in an ordinary system call
// for as long as nothing happens; an idle server neither spins nor holds a P. When quiet waits are shorter than rawWait it
// is raw again. A raw wait has no time-out unless a timer is near, since arming the kernel's costs 4 % of a small request;
// one that is further away than preemption will be seen to in the quiet mood.
//
// The price: where there are no more Ps than loops, other goroutines would wait 10 to 20 ms at a time. There waits are
// brief, which costs the time-out; GOMAXPROCS of one more than there are loops avoids both.
type poller struct {
	epfd   int
	wakefd int
	now    int64 // monotonic, set by wait
	quiet  bool
	brief  bool // raw waits last rawWait at the most: others need the P, or the runtime must not send signals
	events [maxEvents]unix.EpollEvent
}

// open makes the descriptors of p.
func (p *poller) open() error {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll_create: %w%s", err, listenAdvice(err))
	}
	wakefd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(epfd)
		return fmt.Errorf("eventfd: %w%s", err, listenAdvice(err))
	}
	p.epfd, p.wakefd, p.now, p.quiet = epfd, wakefd, monotonic(), true
	p.brief = strings.Contains(os.Getenv("GODEBUG"), "asyncpreemptoff=1")
	// Edge-triggered, so that it need not be read: each write is an edge.
	if err := p.watch(wakefd, 0, unix.EPOLLIN|unix.EPOLLET); err != nil {
		p.close()
		return err
	}
	return nil
}

func (p *poller) close() {
	unix.Close(p.epfd)
	unix.Close(p.wakefd)
}

// watch begins to report events of fd; gen comes back in the event's Pad.
func (p *poller) watch(fd int, gen int32, events uint32) error {
	if errno := p.control(unix.EPOLL_CTL_ADD, fd, gen, events); errno != 0 {
		return os.NewSyscallError("epoll_ctl add", errno)
	}
	return nil
}

// rewatch changes the events of a watched fd. If they hold already, they are reported again.
func (p *poller) rewatch(fd int, gen int32, events uint32) {
	if errno := p.control(unix.EPOLL_CTL_MOD, fd, gen, events); errno != 0 {
		panic("servers: a watched descriptor cannot be watched otherwise: " + errno.Error())
	}
}

// unwatch ends the reports of fd. Closing it does so only where nobody else has the same socket.
func (p *poller) unwatch(fd int) { p.control(unix.EPOLL_CTL_DEL, fd, 0, 0) }

func (p *poller) control(op, fd int, gen int32, events uint32) unix.Errno {
	e := unix.EpollEvent{Events: events, Fd: int32(fd), Pad: gen}
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.epfd), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&e)), 0, 0)
	return errno
}

// wake ends a wait, now or when it begins. Any goroutine may call it while p is open.
func (p *poller) wake() { wakeEvent(p.wakefd) }

// wakeEvent adds one to an eventfd.
func wakeEvent(fd int) {
	one := uint64(1)
	unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&one)), 8)
}

// wait waits for events until the monotonic time until; 0 is for ever, a time that has passed only looks. yield says
// that goroutines were made ready which need this P. It sets now. No events without an error is ordinary.
func (p *poller) wait(until int64, yield bool) ([]unix.EpollEvent, error) {
	const brief = int(rawWait / time.Millisecond)
	timeout := p.timeout(until)
	if yield {
		runtime.Gosched()
	}
	var n int
	var errno unix.Errno
	if near := timeout >= 0 && timeout <= brief; near || !p.quiet {
		limit := timeout
		switch {
		case near:
		case p.brief:
			limit = brief
		case timeout > int(preemption/time.Millisecond):
			limit = -1
		}
		n, errno = p.waitRaw(limit)
		p.now = monotonic()
		p.quiet = n == 0 && limit != 0
	} else {
		runtime.Gosched()
		before := monotonic() // not now: a turn with many events is long
		n, errno = p.waitQuiet(timeout)
		p.now = monotonic()
		p.quiet = n == 0 || p.now-before >= int64(rawWait)
	}
	if errno != 0 && errno != unix.EINTR {
		return nil, os.NewSyscallError("epoll_wait", errno)
	}
	return p.events[:max(n, 0)], nil
}

// timeout returns the milliseconds from now to until, rounded up; -1 for ever.
func (p *poller) timeout(until int64) int {
	if until == 0 {
		return -1
	}
	return int(max(0, (until-p.now+int64(time.Millisecond)-1)/int64(time.Millisecond)))
}

func (p *poller) waitRaw(timeout int) (int, unix.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epfd), uintptr(unsafe.Pointer(&p.events[0])), maxEvents, uintptr(timeout), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func (p *poller) waitQuiet(timeout int) (int, unix.Errno) {
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epfd), uintptr(unsafe.Pointer(&p.events[0])), maxEvents, uintptr(timeout), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
