package servers

// The kernel's interface, io_uring(7), as far as the core uses it. The layouts are the kernel's, and the same on every
// architecture of 64 bits.

// uringSQE is a request.
type uringSQE struct {
	opcode   uint8
	flags    uint8
	ioprio   uint16
	fd       int32
	off      uint64
	addr     uint64
	len      uint32
	opFlags  uint32 // of the operation: those of send(2), the events of a poll, …
	userData uint64
	group    uint16 // of provided buffers
	_        uint16
	total    uint32 // bytes after which a multishot receive ends
	_        [2]uint64
}

// uringCQE is what became of a request, or one of the events of a multishot one.
type uringCQE struct {
	userData uint64
	res      int32 // as of a system call: below 0 an error
	flags    uint32
}

// uringParams is the argument of io_uring_setup.
type uringParams struct {
	sqEntries, cqEntries uint32
	flags                uint32
	_                    [2]uint32
	features             uint32
	_                    [4]uint32
	sq                   struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32
		_                                                   uint64
	}
	cq struct {
		head, tail, mask, entries, overflow, cqes, flags, _ uint32
		_                                                   uint64
	}
}

// uringWait is the argument of an io_uring_enter that waits no longer than a time.
type uringWait struct {
	_       uint64
	_       uint32
	_       uint32
	timeout uint64 // address of a uringTime
}

// uringTime is a span of time.
type uringTime struct{ sec, nsec int64 }

// uringBuffer is one place of a ring of provided buffers. The tail of the ring lies in the last field of the first place.
type uringBuffer struct {
	addr uint64
	len  uint32
	id   uint16
	tail uint16
}

// uringBufferRing is the argument of registering one.
type uringBufferRing struct {
	addr    uint64
	entries uint32
	group   uint16
	_       uint16
	_       [3]uint64
}

// uringUpdate is the argument of registering a ring's own descriptor.
type uringUpdate struct {
	offset uint32
	_      uint32
	data   uint64
}

// uringProbe is what io_uring_register says about the operations of this kernel.
type uringProbe struct {
	_       uint8
	entries uint8
	_       uint16
	_       [3]uint32
	ops     [uringOps]struct {
		_     uint8
		_     uint8
		flags uint16
		_     uint32
	}
}

const (
	uringOps       = 64 // more than are used
	uringSupported = 1  // a flag of a probed operation
)

// Flags of io_uring_setup.
const (
	uringSetupCQSize       = 1 << 3
	uringSetupDisabled     = 1 << 6 // until it is enabled, by the one thread that then submits
	uringSetupSubmitAll    = 1 << 7
	uringSetupCoopTaskrun  = 1 << 8
	uringSetupSingleIssuer = 1 << 12
	uringSetupDeferTaskrun = 1 << 13
)

// Features that io_uring_setup reports.
const (
	uringFeatSingleMmap = 1 << 0
	uringFeatNoDrop     = 1 << 1
	uringFeatExtArg     = 1 << 8
	uringFeatCQESkip    = 1 << 11
)

// Offsets of mmap.
const (
	uringOffRings = 0
	uringOffSQEs  = 0x10000000
)

// Flags of io_uring_enter.
const (
	uringEnterGetEvents  = 1 << 0
	uringEnterExtArg     = 1 << 3
	uringEnterRegistered = 1 << 4
)

// uringOverflown is the flag in the submission ring that says that events wait outside of the completion ring.
const uringOverflown = 1 << 1

// Opcodes of io_uring_register.
const (
	uringRegisterProbe      = 8
	uringRegisterEnable     = 12
	uringRegisterRings      = 20
	uringUnregisterRings    = 21
	uringRegisterBufferRing = 22
)

// Operations.
const (
	uringOpPollAdd = 6
	uringOpSendmsg = 9
	uringOpAccept  = 13
	uringOpCancel  = 14
	uringOpClose   = 19
	uringOpSend    = 26
	uringOpReceive = 27
)

// Flags of a request: where the buffer comes from, and that an event is made only of failure.
const (
	uringSelectBuffer = 1 << 5
	uringSkipSuccess  = 1 << 6
)

// Flags of single operations.
const (
	uringAcceptMultishot  = 1 << 0 // ioprio
	uringReceiveMultishot = 1 << 1 // ioprio
	uringPollMultishot    = 1 << 0 // len
	uringCancelAll        = 1 << 0 // opFlags
	uringCancelAny        = 1 << 2 // opFlags
)

// Flags of an event: the upper half is a buffer's number, or the request is still there.
const (
	uringHasBuffer   = 1 << 0
	uringMore        = 1 << 1
	uringBufferShift = 16
)
