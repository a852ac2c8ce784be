package main

import (
	"context"
	"io"
	"time"

	"github.com/cloudwego/netpoll"

	"corelab/peers/routes"
	"corelab/peers/wire"
)

// netpollPeer is netpoll alone: epoll loops, a goroutine for each connection that has something to read. It moves bytes;
// package wire is its HTTP.
var netpollPeer = peer{
	name:    "netpoll",
	library: "github.com/cloudwego/netpoll",
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

// serveNetpoll answers every whole request that has arrived, with one flush. netpoll calls it as long as there is
// something to read, so that it waits for the rest of one that is not whole.
func serveNetpoll(_ context.Context, c netpoll.Connection) error {
	in, out := c.Reader(), c.Writer()
	b, err := in.Peek(in.Len())
	if err != nil {
		return err
	}
	read, closes := 0, false
	var r wire.Request
	for read < len(b) && !closes {
		n, err := wire.Read(b[read:], &r)
		if err != nil {
			out.WriteBinary(appendRefusal(nil, "netpoll", err))
			closes = true
			break
		}
		if n == 0 {
			break
		}
		read += n
		closes = r.Close
		if err := answer(out, &r); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if closes {
		return c.Close()
	}
	if read == 0 {
		_, err := in.Peek(len(b) + 1)
		return err
	}
	if err := in.Skip(read); err != nil {
		return err
	}
	return in.Release()
}

// maxReplyHead is room for a head and an inline body.
const maxReplyHead = 512 + wire.Inline

func answer(out netpoll.Writer, r *wire.Request) error {
	reply := routes.Answer(r.Request)
	if reply.Delay > 0 {
		if err := out.Flush(); err != nil { // what was answered before does not wait
			return err
		}
		time.Sleep(reply.Delay)
	}
	room, err := out.Malloc(maxReplyHead + len(reply.Type))
	if err != nil {
		return err
	}
	head := r.Method == "HEAD"
	used := len(wire.Append(room[:0], "netpoll", &reply, head, r.Close))
	if used > len(room) {
		panic("peerserver: a reply's head is longer than its room")
	}
	if err := out.MallocAck(used); err != nil {
		return err
	}
	if !head && len(reply.Body) > wire.Inline {
		_, err = out.WriteBinary(reply.Body)
	}
	return err
}
