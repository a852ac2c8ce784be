package servers

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// uringSizes are the sizes of a ring and its buffers, each a power of two.
type uringSizes struct {
	requests int // of one system call; more than these are submitted in several
	events   int // of one turn; more than these are kept by the kernel, at a price
	buffers  int // to receive into; without one a receive ends, and begins anew
	buffer   int // bytes of each
}

// uring is an io_uring and its provided buffers. All of its memory is mapped, none of it Go's: what the kernel reads and
// writes between system calls neither moves nor is collected. One thread uses it, from enable to close.
//
// Task work is deferred (DEFER_TASKRUN): the kernel touches the rings and the buffers within enter, and at no other time.
type uring struct {
	fd       int
	enterFD  uintptr // what enter is called with, and with which flags besides
	enterBit uintptr

	rings []byte // mapped
	sqes  []byte // mapped

	requests       []uringSQE
	sqHead, sqTail *uint32
	flags          *uint32
	tail           uint32 // of the requests made, those not yet submitted too
	events         []uringCQE
	cqHead, cqTail *uint32
	limit          uringWait // of a wait
	span           uringTime // of limit
	buffers        uringBuffers
}

// openUring makes a ring of those sizes, for a thread to enable. Its errors say what is missing, and what to do.
func openUring(sizes uringSizes) (*uring, error) {
	p := uringParams{
		cqEntries: uint32(sizes.events),
		flags: uringSetupCQSize | uringSetupDisabled | uringSetupSubmitAll | uringSetupCoopTaskrun |
			uringSetupSingleIssuer | uringSetupDeferTaskrun,
	}
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(sizes.requests), uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, fmt.Errorf("io_uring_setup: %w%s", errno, uringAdvice(errno, os.ReadFile))
	}
	r := &uring{fd: int(fd)}
	if err := r.prepare(&p, sizes); err != nil {
		r.close(true)
		return nil, err
	}
	return r, nil
}

// prepare maps the rings, looks whether the kernel has all that is used, and lends it the buffers.
func (r *uring) prepare(p *uringParams, sizes uringSizes) error {
	const features = uringFeatSingleMmap | uringFeatNoDrop | uringFeatExtArg | uringFeatCQESkip
	if p.features&features != features {
		return fmt.Errorf("io_uring lacks features %#x; %s", features&^p.features, uringKernel)
	}
	if err := r.probe(); err != nil {
		return err
	}
	size := max(p.sq.array+p.sqEntries*4, p.cq.cqes+p.cqEntries*uint32(unsafe.Sizeof(uringCQE{})))
	var err error
	if r.rings, err = r.mmap(uringOffRings, int(size)); err != nil {
		return err
	}
	if r.sqes, err = r.mmap(uringOffSQEs, int(p.sqEntries)*int(unsafe.Sizeof(uringSQE{}))); err != nil {
		return err
	}
	word := func(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.rings[offset])) }
	r.sqHead, r.sqTail, r.flags, r.cqHead, r.cqTail = word(p.sq.head), word(p.sq.tail), word(p.sq.flags), word(p.cq.head), word(p.cq.tail)
	r.requests = unsafe.Slice((*uringSQE)(unsafe.Pointer(&r.sqes[0])), p.sqEntries)
	r.events = unsafe.Slice((*uringCQE)(unsafe.Pointer(&r.rings[p.cq.cqes])), p.cqEntries)
	for i := range p.sqEntries { // requests are submitted in the order of their places
		*word(p.sq.array + 4*i) = i
	}
	r.limit.timeout = uint64(uintptr(unsafe.Pointer(&r.span)))
	return r.buffers.open(r, sizes)
}

// uringKernel says what the core needs.
const uringKernel = "use Linux 6.1 or later"

// probe returns an error unless the kernel has all operations that are used.
func (r *uring) probe() error {
	var p uringProbe
	if errno := r.register(uringRegisterProbe, unsafe.Pointer(&p), uringOps); errno != 0 {
		return fmt.Errorf("ask io_uring for its operations: %w; %s", errno, uringKernel)
	}
	for _, op := range []int{uringOpPollAdd, uringOpSendmsg, uringOpAccept, uringOpCancel, uringOpClose, uringOpSend, uringOpReceive} {
		if op >= int(p.entries) || p.ops[op].flags&uringSupported == 0 {
			return fmt.Errorf("io_uring lacks operation %d; %s", op, uringKernel)
		}
	}
	return nil
}

// uringAdvice says why there is no ring and what to do about it. read is os.ReadFile but in tests.
func uringAdvice(errno unix.Errno, read func(string) ([]byte, error)) string {
	switch errno {
	case unix.ENOSYS:
		return ": this kernel has no io_uring, or a sandbox hides it; " + uringKernel + " with CONFIG_IO_URING"
	case unix.EINVAL:
		return ": this kernel's io_uring is too old; " + uringKernel
	case unix.EPERM, unix.EACCES:
		const setting = "/proc/sys/kernel/io_uring_disabled"
		if b, err := read(setting); err == nil {
			if v := strings.TrimSpace(string(b)); v != "0" {
				return ": switched off by kernel.io_uring_disabled = " + v + "; sysctl -w kernel.io_uring_disabled=0"
			}
		}
		return ": a seccomp filter forbids it, as container runtimes do; allow io_uring_setup, io_uring_enter and io_uring_register in its profile"
	case unix.ENOMEM:
		return ": no memory may be locked; raise the limit (ulimit -l)"
	}
	return listenAdvice(errno)
}

func (r *uring) mmap(offset int64, size int) ([]byte, error) {
	b, err := unix.Mmap(r.fd, offset, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("map the io_uring: %w", err)
	}
	return b, nil
}

func (r *uring) register(op uintptr, arg unsafe.Pointer, n uintptr) unix.Errno {
	_, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(r.fd), op, uintptr(arg), n, 0, 0)
	return errno
}

// enable gives the ring to this thread. The goroutine must be locked to it until disable.
func (r *uring) enable() error {
	if errno := r.register(uringRegisterEnable, nil, 0); errno != 0 {
		return os.NewSyscallError("enable io_uring", errno)
	}
	// A registered ring is found without the table of open files.
	u := uringUpdate{offset: ^uint32(0), data: uint64(r.fd)}
	if errno := r.register(uringRegisterRings, unsafe.Pointer(&u), 1); errno != 0 {
		return os.NewSyscallError("register io_uring", errno)
	}
	r.enterFD, r.enterBit = uintptr(u.offset), uringEnterRegistered
	return nil
}

// disable undoes enable: the thread would hold the ring for as long as it lives.
func (r *uring) disable() {
	if r.enterBit == 0 {
		return
	}
	u := uringUpdate{offset: uint32(r.enterFD)}
	if errno := r.register(uringUnregisterRings, unsafe.Pointer(&u), 1); errno != 0 {
		panic("servers: a registered io_uring cannot be unregistered: " + errno.Error())
	}
	r.enterBit = 0
}

// close gives back what the ring has. Where requests are still there, idle is false: the kernel ends them later, and the
// memory of the buffers stays with it.
func (r *uring) close(idle bool) {
	unix.Close(r.fd)
	for _, m := range [][]byte{r.rings, r.sqes} {
		if m != nil {
			unix.Munmap(m)
		}
	}
	if idle {
		r.buffers.close()
	}
}

// request returns the next request, zeroed but for what is given. Where there is no place it submits those before.
func (r *uring) request(opcode uint8, fd int, userData uint64) *uringSQE {
	if r.tail-atomic.LoadUint32(r.sqHead) == uint32(len(r.requests)) {
		r.submit()
	}
	q := &r.requests[r.tail&uint32(len(r.requests)-1)]
	*q = uringSQE{opcode: opcode, fd: int32(fd), userData: userData}
	r.tail++
	return q
}

// submit hands over the requests so far without waiting for anything. Where the kernel has no memory for them it tries
// again.
func (r *uring) submit() {
	for r.tail != atomic.LoadUint32(r.sqHead) {
		if errno := r.enter(0, 0, false); errno != 0 && errno != unix.EINTR && errno != unix.EAGAIN {
			panic("servers: io_uring takes no requests: " + errno.Error())
		}
	}
}

// wait hands over the requests so far and waits until there is an event, a signal comes, or timeout nanoseconds have
// passed; below 0 it waits for ever. quiet tells the scheduler that it may block. The kernel has all requests when it
// returns.
func (r *uring) wait(timeout int64, quiet bool) unix.Errno {
	flags, least := uintptr(uringEnterGetEvents), uintptr(1)
	switch {
	case timeout == 0:
		least = 0
	case timeout > 0:
		flags |= uringEnterExtArg
		r.span = uringTime{timeout / 1e9, timeout % 1e9}
	}
	errno := r.enter(least, flags, quiet)
	r.submit() // what there was no memory for
	if errno == unix.EINTR || errno == unix.ETIME || errno == unix.EAGAIN || errno == unix.EBUSY {
		return 0
	}
	return errno
}

// enter is the system call: it submits the requests so far, and returns once there are least events.
func (r *uring) enter(least uintptr, flags uintptr, quiet bool) unix.Errno {
	atomic.StoreUint32(r.sqTail, r.tail)
	submit := uintptr(r.tail - atomic.LoadUint32(r.sqHead))
	r.buffers.publish()
	flags |= r.enterBit
	var arg, size uintptr
	if flags&uringEnterExtArg != 0 {
		arg, size = uintptr(unsafe.Pointer(&r.limit)), unsafe.Sizeof(r.limit)
	}
	var errno unix.Errno
	if quiet {
		_, _, errno = unix.Syscall6(unix.SYS_IO_URING_ENTER, r.enterFD, submit, least, flags, arg, size)
	} else {
		_, _, errno = unix.RawSyscall6(unix.SYS_IO_URING_ENTER, r.enterFD, submit, least, flags, arg, size)
	}
	return errno
}

// ready returns the range of events that have been made and not been seen.
func (r *uring) ready() (from, to uint32) { return *r.cqHead, atomic.LoadUint32(r.cqTail) }

// event returns event i of a range.
func (r *uring) event(i uint32) *uringCQE { return &r.events[i&uint32(len(r.events)-1)] }

// seen gives back the places of all events before to.
func (r *uring) seen(to uint32) { atomic.StoreUint32(r.cqHead, to) }

// overflown reports whether further events wait for places, which the next enter gives them.
func (r *uring) overflown() bool { return atomic.LoadUint32(r.flags)&uringOverflown != 0 }
