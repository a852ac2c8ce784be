package load

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel's interface, io_uring(7): what of it is used here.
const (
	setupCQSize       = 1 << 3
	setupDisabled     = 1 << 6
	setupSubmitAll    = 1 << 7
	setupSingleIssuer = 1 << 12 // Linux 6.0
	setupDeferTaskrun = 1 << 13 // Linux 6.1

	featureSingleMmap = 1 << 0

	offsetRings   = 0
	offsetEntries = 0x10000000

	enterGetEvents = 1 << 0
	enterExtArg    = 1 << 3

	registerEnable   = 12
	registerBuffers  = 22
	bufferGroup      = 0
	entryUsesBuffers = 1 << 5
	entrySilent      = 1 << 6 // no completion where it succeeds

	doesPoll   = 6
	doesCancel = 14
	doesClose  = 19
	doesSend   = 26
	doesRecv   = 27

	pollFirst     = 1 << 0 // of a receive: nothing can be there yet
	recvManyTimes = 1 << 1
	cancelAll     = 1 << 0
	cancelByFD    = 1 << 1
	hasBuffer     = 1 << 0 // of a completion
	hasMore       = 1 << 1
	bufferShift   = 16
)

// submission is struct io_uring_sqe.
type submission struct {
	does     uint8
	flags    uint8
	how      uint16
	fd       int32
	offset   uint64
	addr     uint64
	len      uint32
	opFlags  uint32
	userData uint64
	group    uint16
	_        [22]byte
}

// completion is struct io_uring_cqe.
type completion struct {
	userData uint64
	res      int32
	flags    uint32
}

// lent is struct io_uring_buf: a buffer that the kernel may fill.
type lent struct {
	addr uint64
	len  uint32
	id   uint16
	_    uint16
}

// ringParams is struct io_uring_params, where in the mapping what lies.
type ringParams struct {
	sqEntries, cqEntries, flags, cpu, idle, features, workers uint32

	_  [3]uint32
	sq struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32

		address uint64
	}
	cq struct {
		head, tail, mask, entries, overflow, cqes, flags, _ uint32

		address uint64
	}
}

// iouring is an io_uring with buffers that the kernel takes for what arrives. Between enable and the end one thread uses it:
// the kernel leaves all work on its sockets to the moment in which that thread waits.
type iouring struct {
	fd       int
	maps     [][]byte
	entries  []submission
	sqTail   *uint32
	cqHead   *uint32
	cqTail   *uint32
	cqes     []completion
	next     uint32 // the tail of the submissions, published by enter
	handed   uint32 // what the kernel has taken of them
	buffers  []byte
	stride   int
	shelf    []lent
	returned uint16 // the tail of shelf
	// The kernel reads these while it is entered. They lie here because a stack may move.
	limit unix.Timespec
	wait  struct {
		mask     uint64
		maskSize uint32
		minWait  uint32
		limit    uint64
	}
}

// Bounds of a ring.
const (
	ringEntries    = 512     // submissions between two calls; a power of two
	ringBytes      = 4 << 20 // of all buffers, about
	ringBuffersMin = 64
	ringBuffersMax = 1024
	ringBufferMax  = 16 << 10
	// A buffer's begin is shifted by so much against the one before: at multiples of a page all heads of answers would
	// compete for the same few lines of the CPU's caches.
	ringSkew = 5 * 64
)

// newIOUring makes a ring for so many connections, which nobody may enter before enable.
func newIOUring(connections int) (*iouring, error) {
	p := ringParams{flags: setupCQSize | setupDisabled | setupSubmitAll | setupSingleIssuer | setupDeferTaskrun,
		cqEntries: uint32(powerOfTwo(2*connections, 2*ringEntries, 32<<10))}
	fd, _, e := unix.Syscall(unix.SYS_IO_URING_SETUP, ringEntries, uintptr(unsafe.Pointer(&p)), 0)
	if e != 0 {
		return nil, fmt.Errorf("io_uring_setup: %w%s", e, uringAdvice(e))
	}
	r := &iouring{fd: int(fd)}
	if err := r.mapQueues(&p); err != nil {
		r.close()
		return nil, err
	}
	if err := r.lend(connections); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// uringAdvice says what to do about a kernel that makes no such ring.
func uringAdvice(e unix.Errno) string {
	switch {
	case errors.Is(e, unix.ENOSYS), errors.Is(e, unix.EINVAL):
		return ": it takes Linux 6.1 or newer; take the generator " + corelabName
	case errors.Is(e, unix.EPERM):
		return ": it is forbidden here (sysctl kernel.io_uring_disabled, or a container's seccomp profile); allow it, or take the generator " + corelabName
	}
	return ""
}

// powerOfTwo is the least one that is not below n, within bounds that are powers themselves.
func powerOfTwo(n, least, most int) int {
	p := least
	for p < n && p < most {
		p *= 2
	}
	return p
}

// mapQueues maps the two queues, which lie in one piece, and the submissions.
func (r *iouring) mapQueues(p *ringParams) error {
	const shared = unix.MAP_SHARED | unix.MAP_POPULATE
	if p.features&featureSingleMmap == 0 {
		return errors.New("io_uring: the kernel maps its queues apart: it takes Linux 6.1 or newer")
	}
	queues, err := r.mmap(r.fd, offsetRings, int(max(p.sq.array+p.sqEntries*4, p.cq.cqes+p.cqEntries*uint32(unsafe.Sizeof(completion{})))), shared)
	if err != nil {
		return err
	}
	entries, err := r.mmap(r.fd, offsetEntries, int(p.sqEntries)*int(unsafe.Sizeof(submission{})), shared)
	if err != nil {
		return err
	}
	r.entries = unsafe.Slice((*submission)(unsafe.Pointer(&entries[0])), p.sqEntries)
	word := func(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&queues[offset])) }
	r.sqTail, r.cqHead, r.cqTail = word(p.sq.tail), word(p.cq.head), word(p.cq.tail)
	r.cqes = unsafe.Slice((*completion)(unsafe.Pointer(&queues[p.cq.cqes])), p.cqEntries)
	// The array maps places of the queue to entries: each to its own, for good.
	array := unsafe.Slice(word(p.sq.array), p.sqEntries)
	for i := range array {
		array[i] = uint32(i)
	}
	return nil
}

// lend gives the kernel the buffers to receive into.
func (r *iouring) lend(connections int) error {
	const private = unix.MAP_PRIVATE | unix.MAP_ANONYMOUS
	n := powerOfTwo(connections, ringBuffersMin, ringBuffersMax)
	r.stride = min(ringBytes/n, ringBufferMax) + ringSkew
	var err error
	if r.buffers, err = r.mmap(-1, 0, n*r.stride, private); err != nil {
		return err
	}
	shelf, err := r.mmap(-1, 0, n*int(unsafe.Sizeof(lent{})), private)
	if err != nil {
		return err
	}
	r.shelf = unsafe.Slice((*lent)(unsafe.Pointer(&shelf[0])), n)
	ask := struct {
		addr    uint64
		entries uint32
		group   uint16
		flags   uint16
		_       [3]uint64
	}{addr: uint64(uintptr(unsafe.Pointer(&shelf[0]))), entries: uint32(n), group: bufferGroup}
	if _, _, e := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(r.fd), registerBuffers, uintptr(unsafe.Pointer(&ask)), 1, 0, 0); e != 0 {
		return fmt.Errorf("register the buffers of io_uring: %w%s", e, uringAdvice(e))
	}
	for id := range n {
		r.giveBack(uint16(id))
	}
	return nil
}

// enable binds the ring to the calling thread, which alone may enter it from now on.
func (r *iouring) enable() {
	if _, _, e := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(r.fd), registerEnable, 0, 0, 0, 0); e != 0 {
		panic("load: a new ring cannot be enabled: " + e.Error())
	}
}

// bytes are what a completion put into a buffer. They are the caller's until giveBack.
func (r *iouring) bytes(id uint16, n int32) []byte {
	at := int(id) * r.stride
	return r.buffers[at : at+int(n) : at+r.stride]
}

// giveBack lends a buffer to the kernel again.
func (r *iouring) giveBack(id uint16) {
	mask := uint16(len(r.shelf) - 1)
	b := &r.shelf[r.returned&mask]
	b.addr, b.len, b.id = uint64(uintptr(unsafe.Pointer(&r.buffers[int(id)*r.stride]))), uint32(r.stride-ringSkew), id
	r.returned++
	// The kernel's tail lies in the first entry, in one word with that buffer's id.
	word := (*uint32)(unsafe.Pointer(&r.shelf[0].id))
	atomic.StoreUint32(word, uint32(r.shelf[0].id)|uint32(r.returned)<<16)
}

// submit returns an empty submission, that goes to the kernel with the next enter.
func (r *iouring) submit() *submission {
	for r.next-r.handed == uint32(len(r.entries)) {
		r.enter(0, 0)
	}
	s := &r.entries[r.next&uint32(len(r.entries)-1)]
	*s = submission{}
	r.next++
	return s
}

// enter hands over what was submitted, and waits for so many completions, at most so many nanoseconds. A signal ends it early.
func (r *iouring) enter(completions int, ns int64) {
	atomic.StoreUint32(r.sqTail, r.next)
	r.limit = unix.NsecToTimespec(ns)
	r.wait.limit = uint64(uintptr(unsafe.Pointer(&r.limit)))
	n, _, e := unix.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), uintptr(r.next-r.handed), uintptr(completions),
		enterGetEvents|enterExtArg, uintptr(unsafe.Pointer(&r.wait)), unsafe.Sizeof(r.wait))
	switch e {
	case 0:
		r.handed += uint32(n)
	case unix.EINTR, unix.ETIME, unix.EAGAIN, unix.EBUSY: // nothing was taken; it is handed over again
	default:
		panic("load: io_uring_enter on our own ring failed: " + e.Error())
	}
}

// completed are the places of the completions that are there: from head to tail, not including it.
func (r *iouring) completed() (head, tail uint32) { return *r.cqHead, atomic.LoadUint32(r.cqTail) }

func (r *iouring) completion(at uint32) *completion { return &r.cqes[at&uint32(len(r.cqes)-1)] }

// forget gives the places before head back.
func (r *iouring) forget(head uint32) { atomic.StoreUint32(r.cqHead, head) }

// close ends what is under way and gives back all memory. No thread may be inside.
func (r *iouring) close() {
	closeSocket(r.fd)
	for _, m := range r.maps {
		_ = unix.Munmap(m) // it was mapped by mmap, so that nothing can be wrong with it
	}
	*r = iouring{fd: -1}
}

// mmap maps memory that lives until close.
func (r *iouring) mmap(fd int, offset int64, size, flags int) ([]byte, error) {
	b, err := unix.Mmap(fd, offset, size, unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes for io_uring: %w", size, err)
	}
	r.maps = append(r.maps, b)
	return b, nil
}

// addressOf is where b lies, for the kernel. The caller keeps b, which must not be on a stack.
func addressOf(b []byte) uint64 { return uint64(uintptr(unsafe.Pointer(&b[0]))) }
