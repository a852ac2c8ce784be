package planted

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"corelab/apps/spin"
)

// weight is what each request costs more: system calls, context switches, memory and CPU time.
type weight struct {
	calls, switches int
	leak            leak
	drift           drift
}

// nap is what a context switch sleeps. With it, and not with the least time that there is, the timer cannot fire between
// being set and the thread giving up the CPU, which then would not happen; the kernel's slack of 50 µs comes on top.
const nap = 20 * time.Microsecond

// carry burdens the calling thread with one request's weight.
func (w *weight) carry(clock *clockwork) error {
	for range w.calls {
		unix.RawSyscallNoError(unix.SYS_GETPPID, 0, 0, 0)
	}
	for range w.switches {
		sleep := unix.NsecToTimespec(int64(nap))
		// Raw: an ordinary call lets go of the P, and waiting for one on the way back would be another switch.
		unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&sleep)), 0, 0)
	}
	w.drift.burn(clock)
	return w.leak.take()
}

// drift is CPU time of a request that grows with the time since the start.
type drift struct {
	perSecond time.Duration // 0: none
	rate      spin.Rate
	owed      atomic.Int64 // nanoseconds not yet burnt
}

// driftSpin is the least that is burnt at once: below it a spin's beginning and end show in its cost.
const driftSpin = 2 * time.Microsecond

// burn burns a request's share, or lets it add up to driftSpin.
func (d *drift) burn(clock *clockwork) {
	if d.perSecond == 0 {
		return
	}
	share := clock.now().Seconds() * float64(d.perSecond)
	if d.owed.Add(int64(share)) < int64(driftSpin) {
		return
	}
	if owed := d.owed.Swap(0); owed > 0 { // 0: another request of the same moment burns it
		spin.Burn(d.rate.Turns(time.Duration(owed)))
	}
}

// leak is memory that is never given back. It is mapped outside Go's heap, so that what the collector keeps in reserve
// does not blur it: exactly the pages that were taken are resident.
type leak struct {
	bytes int // of one request; 0: none

	mu   sync.Mutex
	rest []byte // mapped and not yet taken
}

// leakBlock is what is mapped at once, unless one request takes more.
const leakBlock = 16 << 20

// take takes one request's bytes and writes to each page of them.
func (l *leak) take() error {
	if l.bytes == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for left := l.bytes; left > 0; {
		if len(l.rest) == 0 {
			b, err := mapBlock(max(leakBlock, l.bytes))
			if err != nil {
				return err
			}
			l.rest = b
		}
		n := min(left, len(l.rest))
		for i := 0; i < n; i += os.Getpagesize() {
			l.rest[i] = 1
		}
		l.rest[n-1] = 1
		l.rest, left = l.rest[n:], left-n
	}
	return nil
}

// mapBlock maps n bytes or a little more of memory that is not resident, in small pages: a huge one would be resident as
// soon as its first byte is.
func mapBlock(n int) ([]byte, error) {
	page := os.Getpagesize()
	b, err := unix.Mmap(-1, 0, (n+page-1)/page*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("mmap %d bytes to leak: %w", n, err)
	}
	if err := unix.Madvise(b, unix.MADV_NOHUGEPAGE); err != nil && err != unix.EINVAL { // EINVAL: this kernel has none
		return nil, fmt.Errorf("madvise for memory to leak: %w", err)
	}
	return b, nil
}
