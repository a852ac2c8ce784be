package main

import (
	"log"
	"sync"
	"time"

	"github.com/panjf2000/gnet/v2"

	"corelab/peers/routes"
	"corelab/peers/wire"
)

// gnetPeer is gnet: event loops of its own over epoll. It moves bytes; package wire is its HTTP.
var gnetPeer = peer{
	name:   "gnet",
	module: "github.com/panjf2000/gnet/v2",
	settings: []string{
		"{workers} event loops, each with a listener of its own (SO_REUSEPORT), backlog somaxconn, TCP_NODELAY, level-triggered",
		"HTTP by a small parser of the lab: request line and fields to the empty line, no chunked bodies, no routing tree",
		"a delayed answer waits in a timer, not on the loop; no access log",
	},
	serve: func(o options) error {
		go wire.Tick()
		return gnet.Run(&traffic{}, "tcp4://"+o.addr, gnet.WithNumEventLoop(o.workers), gnet.WithReusePort(true),
			// With ports shared alone, the connections that it closed first would keep the port for a minute.
			gnet.WithReuseAddr(true), gnet.WithTCPNoDelay(gnet.TCPNoDelay), gnet.WithLogger(errorLog{}))
	},
}

// held is the context of a connection whose answer is due later: what it asks next stays unread until then.
type held struct{}

// traffic serves all connections. Its methods run on the loop that owns the connection.
type traffic struct {
	gnet.BuiltinEventEngine
	buffers sync.Pool // of *[]byte, one for each loop that writes
}

// OnTraffic answers every whole request that has arrived, with one write.
func (t *traffic) OnTraffic(c gnet.Conn) gnet.Action {
	if _, waits := c.Context().(held); waits {
		return gnet.None
	}
	in, err := c.Peek(-1)
	if err != nil {
		return gnet.Close
	}
	out, pooled := t.buffers.Get().(*[]byte)
	if !pooled {
		out = new([]byte)
	}
	b, read, closes := (*out)[:0], 0, false
	var r wire.Request
	for read < len(in) && !closes {
		n, err := wire.Read(in[read:], &r)
		if err != nil {
			b, closes = appendRefusal(b, "gnet", err), true
			break
		}
		if n == 0 {
			break
		}
		read += n
		reply := routes.Answer(r.Request)
		closes = r.Close
		if reply.Delay > 0 {
			hold(c, reply, r)
			closes = false // hold sees to it
			break
		}
		head := r.Method == "HEAD"
		b = wire.Append(b, "gnet", &reply, head, r.Close)
		if !head && len(reply.Body) > wire.Inline {
			if _, err := c.Writev([][]byte{b, reply.Body}); err != nil { // gnet keeps what the socket does not take
				return gnet.Close
			}
			b = b[:0]
		}
	}
	if len(b) > 0 {
		if _, err := c.Write(b); err != nil {
			return gnet.Close
		}
	}
	if read > 0 {
		c.Discard(read) // of 0 it would discard all
	}
	*out = b
	t.buffers.Put(out)
	if closes {
		return gnet.Close
	}
	return gnet.None
}

// hold answers later, then goes on with what came behind the request.
func hold(c gnet.Conn, reply routes.Reply, r wire.Request) {
	c.SetContext(held{})
	closes := r.Close
	b := wire.Append(nil, "gnet", &reply, r.Method == "HEAD", closes)
	time.AfterFunc(reply.Delay, func() {
		c.AsyncWrite(b, func(c gnet.Conn, err error) error {
			switch {
			case err != nil: // it is gone
				return nil
			case closes:
				return c.Close()
			}
			c.SetContext(nil)
			return c.Wake(nil)
		})
	})
}

// appendRefusal appends the answer to what cannot be read.
func appendRefusal(b []byte, server string, err error) []byte {
	status := 400
	if m, is := err.(wire.Malformed); is {
		status = int(m)
	}
	return wire.Append(b, server, &routes.Reply{Status: status}, false, true)
}

// errorLog is a logger of gnet's that says errors only.
type errorLog struct{}

func (errorLog) Debugf(string, ...any)          {}
func (errorLog) Infof(string, ...any)           {}
func (errorLog) Warnf(string, ...any)           {}
func (errorLog) Errorf(format string, a ...any) { log.Printf("gnet: "+format, a...) }
func (errorLog) Fatalf(format string, a ...any) { log.Fatalf("gnet: "+format, a...) }
