package servers

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

// drafts are the messages of one turn's sends of several segments: the kernel reads them within enter. They are used
// again in the next one.
type drafts struct {
	segments []httpcore.Segment // of one Conn at a time
	messages []*draft
	used     int
}

// draft is the argument of one sendmsg.
type draft struct {
	header unix.Msghdr
	iovecs [maxIovecs]unix.Iovec
}

// next returns a draft that is free.
func (d *drafts) next() *draft {
	if d.used == len(d.messages) {
		d.messages = append(d.messages, new(draft))
	}
	d.used++
	return d.messages[d.used-1]
}

// reset frees all drafts, and holds no reply's memory.
func (d *drafts) reset() {
	for _, m := range d.messages[:d.used] {
		clear(m.iovecs[:m.header.Iovlen])
	}
	d.used = 0
}

// writersMost is how many connections may have something to write before the turn's end is not waited for: each of them holds
// a buffer with its answer.
const writersMost = 64

// flush makes requests of all that is to be written. What they name must not move until the ring was entered: nothing else
// is done with a Conn between.
func (l *uringLoop) flush() {
	for i, c := range l.writers {
		l.writers[i] = nil
		c.writing = false
		switch {
		case c.fd < 0:
			l.recycle(c)
		case !c.blocked && !c.sending:
			l.send(c)
		}
	}
	l.writers = l.writers[:0]
}

// send makes a request of what c has pending, or sends it at once where it begins with a file.
func (l *uringLoop) send(c *uringConn) {
	d := &l.drafts
	d.segments = c.Pending(d.segments[:0])
	defer clear(d.segments)
	switch {
	case len(d.segments) == 0:
	case len(d.segments) == 1 && d.segments[0].File == nil: // nearly every reply
		b := d.segments[0].Bytes
		b = b[:min(len(b), turnBytes)]
		q := l.ring.request(uringOpSend, int(c.fd), uringKey(uringSent, int(c.fd), c.gen))
		q.addr, q.len = uint64(uintptr(unsafe.Pointer(&b[0]))), uint32(len(b))
		l.handOver(c, q, len(b))
	case d.segments[0].File != nil || d.segments[1].File != nil:
		l.sendFile(c)
	default:
		m := d.next()
		k, size := gather(m.iovecs[:], d.segments)
		m.header.Iov = &m.iovecs[0]
		m.header.SetIovlen(k)
		q := l.ring.request(uringOpSendmsg, int(c.fd), uringKey(uringSent, int(c.fd), c.gen))
		q.addr, q.len = uint64(uintptr(unsafe.Pointer(&m.header))), 1
		l.handOver(c, q, size)
	}
}

// handOver completes a request to send size bytes.
//
// While events follow each other, a send after which c waits for a request makes an event only if not all of it went out:
// with MSG_WAITALL, that less did is a failure. What its success brings about, no more than a buffer given back and another
// deadline, can wait for the next event, or the end of the raw wait.
func (l *uringLoop) handOver(c *uringConn, q *uringSQE, size int) {
	q.opFlags = unix.MSG_NOSIGNAL | unix.MSG_DONTWAIT | unix.MSG_WAITALL
	if !l.quiet && c.Want() == httpcore.Write|httpcore.Read {
		q.flags = uringSkipSuccess
	}
	c.sending, c.asked, c.took = true, int32(size), int32(size)
	l.sent = append(l.sent, c)
}

// finishSends tells each Conn what its send took: all, unless one of the events before to says otherwise. Where more events
// wait outside of the ring, that is not known yet.
func (l *uringLoop) finishSends(to uint32) {
	from := l.scanned
	l.scanned = to
	if len(l.sent) == 0 {
		return
	}
	for i := from; i != to; i++ {
		if e := l.ring.event(i); e.userData>>56 == uringSent {
			if c := l.lookup(e.userData); c != nil {
				c.took = e.res
			}
		}
	}
	l.drafts.reset()
	if l.ring.overflown() {
		return
	}
	for i, c := range l.sent {
		l.sent[i] = nil
		c.sending = false
		if c.fd < 0 {
			l.recycle(c)
			continue
		}
		l.finishSend(c)
	}
	l.sent = l.sent[:0]
}

// finishSend acts on what c's send took.
func (l *uringLoop) finishSend(c *uringConn) {
	if c.took < 0 && unix.Errno(-c.took) != unix.EAGAIN {
		l.drop(c, unix.Errno(-c.took))
		return
	}
	if c.took > 0 {
		c.Wrote(int64(c.took))
	}
	if c.took < c.asked {
		l.block(c)
	}
	l.settle(c)
}

// block waits until c's socket takes more.
func (l *uringLoop) block(c *uringConn) {
	c.blocked = true
	if !c.polling {
		c.polling = true
		l.poll(uringWritable, c, unix.POLLOUT)
	}
}

// sendFile sends what c has pending by system calls of its own.
func (l *uringLoop) sendFile(c *uringConn) {
	flushed, err := l.out.flush(int(c.fd), &c.Conn)
	switch flushed {
	case flushGone:
		l.drop(c, err)
		return
	case flushFull:
		l.block(c)
	}
	l.queue(c) // to settle, when the others had their turn
}
