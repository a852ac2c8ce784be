package servers

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// uringBuffers are the buffers that receives take from the ring, one each, and that go back to it once they are read.
type uringBuffers struct {
	memory []byte // mapped: the ring of places, then the buffers
	places []uringBuffer
	stride int // from one buffer to the next
	size   int
	at     int    // of the first
	tail   uint16 // of the places filled
}

// uringGroup is the number of the one group of buffers.
const uringGroup = 0

// uringStagger is added to the size of a buffer: where all begin at a multiple of the page, what lies at their beginnings
// falls into the same few sets of the CPU's caches.
const uringStagger = 64

// open maps the buffers and lends all to the ring.
func (b *uringBuffers) open(r *uring, sizes uringSizes) error {
	b.size, b.stride = sizes.buffer, sizes.buffer+uringStagger
	b.at = sizes.buffers * int(unsafe.Sizeof(uringBuffer{}))
	var err error
	b.memory, err = unix.Mmap(-1, 0, b.at+sizes.buffers*b.stride, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return fmt.Errorf("map buffers: %w", err)
	}
	b.places = unsafe.Slice((*uringBuffer)(unsafe.Pointer(&b.memory[0])), sizes.buffers)
	arg := uringBufferRing{addr: uint64(uintptr(unsafe.Pointer(&b.memory[0]))), entries: uint32(sizes.buffers), group: uringGroup}
	if errno := r.register(uringRegisterBufferRing, unsafe.Pointer(&arg), 1); errno != 0 {
		return fmt.Errorf("lend buffers to the io_uring: %w; %s", errno, uringKernel)
	}
	for id := range sizes.buffers {
		b.put(uint16(id))
	}
	b.publish()
	return nil
}

func (b *uringBuffers) close() {
	if b.memory != nil {
		unix.Munmap(b.memory)
		b.memory = nil
	}
}

// get returns the first n bytes of a buffer that an event names.
func (b *uringBuffers) get(id uint16, n int) []byte {
	from := b.at + int(id)*b.stride
	return b.memory[from : from+n : from+b.size]
}

// put gives a buffer back to the ring, from the next publish on.
func (b *uringBuffers) put(id uint16) {
	p := &b.places[int(b.tail)&(len(b.places)-1)]
	p.addr, p.len, p.id = uint64(uintptr(unsafe.Pointer(&b.memory[b.at+int(id)*b.stride]))), uint32(b.size), id
	b.tail++
}

// publish shows the ring what was put. The kernel looks only within enter, on this thread: no barrier is needed.
func (b *uringBuffers) publish() { b.places[0].tail = b.tail }
