package main

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/cloudwego/netpoll"

	"corelab/peers/routes"
	"corelab/peers/wire"
)

// netpollPeer is netpoll alone: epoll loops, a goroutine for each connection that has something to read. It moves bytes;
// package wire is its HTTP.
var netpollPeer = peer{
	name:   "netpoll",
	module: "github.com/cloudwego/netpoll",
	settings: []string{
		"{workers} poller loops; one listener, backlog somaxconn; each connection with something to read has a goroutine of its pool",
		"HTTP by a small parser of the lab: request line and fields to the empty line, no chunked bodies, no routing tree",
		"no timeouts; no access log",
	},
	serve: func(o options) error {
		go wire.Tick()
		if err := netpoll.Configure(netpoll.Config{PollerNum: o.workers, LoggerOutput: io.Discard}); err != nil {
			return err
		}
		l, err := netpoll.CreateListener("tcp4", o.addr)
		if err != nil {
			return err
		}
		loop, err := netpoll.NewEventLoop(serveNetpoll)
		if err != nil {
			return err
		}
		return loop.Serve(l)
	},
}

// serveNetpoll is called by netpoll again and again as long as there is something to read, and it ignores errors: whoever
// neither reads nor closes spins.
func serveNetpoll(_ context.Context, c netpoll.Connection) error {
	closes, err := answerArrived(c)
	if closes || err != nil {
		return errors.Join(err, c.Close())
	}
	return nil
}

// answerArrived answers every whole request that has arrived, with one flush, and waits for the rest of one that is not
// whole.
func answerArrived(c netpoll.Connection) (closes bool, err error) {
	in := c.Reader()
	b, err := in.Peek(in.Len())
	if err != nil {
		return false, err
	}
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	w := pending{out: c.Writer(), b: (*buffer)[:0]}
	read := 0
	var r wire.Request
	for read < len(b) && !closes {
		n, err := wire.Read(b[read:], &r)
		if err != nil {
			w.b, closes = appendRefusal(w.b, "netpoll", err), true
			break
		}
		if n == 0 {
			break
		}
		read += n
		closes = r.Close
		if err := w.answer(&r); err != nil {
			return false, err
		}
	}
	*buffer = w.b
	if err := w.flush(); err != nil || closes {
		return closes, err
	}
	if read == 0 {
		_, err := in.Peek(len(b) + 1)
		return false, err
	}
	if err := in.Skip(read); err != nil {
		return false, err
	}
	return false, in.Release()
}

// buffers are for answers until they are written, one for each goroutine that writes.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// pending is what is to be written: what out has, then b.
type pending struct {
	out netpoll.Writer
	b   []byte
}

func (w *pending) answer(r *wire.Request) error {
	reply := routes.Answer(r.Request)
	if reply.Delay > 0 {
		if err := w.flush(); err != nil { // what was answered before does not wait
			return err
		}
		time.Sleep(reply.Delay)
	}
	head := r.Method == "HEAD"
	w.b = wire.Append(w.b, "netpoll", &reply, head, r.Close)
	if head || len(reply.Body) <= wire.Inline {
		return nil
	}
	if err := w.move(); err != nil {
		return err
	}
	_, err := w.out.WriteBinary(reply.Body) // not copied
	return err
}

// move gives b to out.
func (w *pending) move() error {
	if len(w.b) == 0 {
		return nil
	}
	room, err := w.out.Malloc(len(w.b))
	if err != nil {
		return err
	}
	copy(room, w.b)
	w.b = w.b[:0]
	return nil
}

func (w *pending) flush() error {
	if err := w.move(); err != nil {
		return err
	}
	return w.out.Flush()
}
