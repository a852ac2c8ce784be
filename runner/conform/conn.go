package conform

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// pieceGap is the time between writes that must arrive apart.
	pieceGap = 2 * time.Millisecond
	// byteGap is the same where each byte is a write.
	byteGap = 500 * time.Microsecond
	// quietTime is how long nothing comes where nothing must come.
	quietTime = 300 * time.Millisecond
	// maxKept bounds the bytes of one side of a conversation that are kept to be shown.
	maxKept = 64 << 10
	// maxWrites bounds the writes that wait.
	maxWrites = 64
	// wholeTimes bounds one connection, in patiences.
	wholeTimes = 10
)

// Line is a part of a conversation.
type Line struct {
	From  string // "client", "server" or "" for what is said about them
	Bytes []byte // of client and server
	Note  string // of neither
}

// conn is one connection on which each byte counts. Writes go out beside what is read: a server may answer, and close,
// before it has all.
type conn struct {
	net      *net.TCPConn
	in       *bufio.Reader
	patience time.Duration
	until    time.Time // the end of all waits
	writes   chan write
	written  chan struct{} // closed when the writer has ended
	stop     func() bool

	mu    sync.Mutex
	said  []Line
	kept  map[string]int // bytes by side
	wrote time.Time      // the last write's end
}

// write is something that the writer does.
type write struct {
	bytes []byte
	each  time.Duration // not 0: byte by byte, so far apart
	pause bool
	fin   bool
}

// dial connects. The end of ctx ends all waits.
func dial(ctx context.Context, addr string, patience time.Duration) (*conn, error) {
	dialer := net.Dialer{Timeout: patience}
	nc, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	c := &conn{net: nc.(*net.TCPConn), patience: patience, until: time.Now().Add(wholeTimes * patience), writes: make(chan write, maxWrites),
		written: make(chan struct{}), kept: make(map[string]int)}
	c.in = bufio.NewReaderSize(readFunc(c.read), 16<<10)
	c.net.SetWriteDeadline(c.until)
	c.stop = context.AfterFunc(ctx, func() { c.net.Close() })
	go c.writer()
	return c, nil
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(b []byte) (int, error) { return f(b) }

// read waits for the next bytes no longer than the patience, from now or from the last write on: a message that goes out in
// many pieces is not answered before the last.
func (c *conn) read(b []byte) (int, error) {
	from := time.Now()
	for {
		c.net.SetReadDeadline(earlier(from.Add(c.patience), c.until))
		n, err := c.net.Read(b)
		if n > 0 {
			c.keep("server", b[:n])
		}
		wrote := c.wroteAt()
		if !errors.Is(err, os.ErrDeadlineExceeded) || !wrote.After(from) || time.Now().After(c.until) {
			return n, err
		}
		from = wrote
	}
}

// wroteAt is when the last write was done.
func (c *conn) wroteAt() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wrote
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// keep notes bytes to be shown. Those of one side that follow each other are one line.
func (c *conn) keep(from string, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b = b[:min(len(b), maxKept-c.kept[from])]
	c.kept[from] += len(b)
	if len(b) == 0 {
		return
	}
	if n := len(c.said); n == 0 || c.said[n-1].From != from {
		c.said = append(c.said, Line{From: from})
	}
	last := &c.said[len(c.said)-1]
	last.Bytes = append(last.Bytes, b...)
}

func (c *conn) note(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, Line{Note: fmt.Sprintf(format, args...)})
}

// conversation returns what was said so far.
func (c *conn) conversation() []Line {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Line(nil), c.said...)
}

// writer does the writes in order. What a server that has closed does not take is no fault of the server's.
func (c *conn) writer() {
	defer close(c.written)
	var failed error
	for w := range c.writes {
		switch {
		case failed != nil:
		case w.pause:
			time.Sleep(pieceGap)
		case w.fin:
			c.note("half-close")
			failed = c.net.CloseWrite()
		case w.each > 0:
			for i := range w.bytes {
				if i > 0 {
					time.Sleep(w.each)
				}
				if failed = c.put(w.bytes[i : i+1]); failed != nil {
					break
				}
			}
		default:
			failed = c.put(w.bytes)
		}
		if failed != nil {
			c.note("not all was taken: %v", failed)
		}
	}
}

func (c *conn) put(b []byte) error {
	c.keep("client", b)
	_, err := c.net.Write(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrote = time.Now()
	return err
}

// quiet reports whether nothing comes for a short while.
func (c *conn) quiet() error {
	if c.in.Buffered() > 0 {
		return errors.New("bytes came")
	}
	patience := c.patience
	c.patience = min(patience, quietTime)
	_, err := c.in.Peek(1)
	c.patience = patience
	switch err = plainly(err); {
	case err == nil:
		return errors.New("bytes came")
	case errors.Is(err, errSilent):
		c.note("nothing came for %v", min(patience, quietTime))
		return nil
	}
	return err
}

// end waits for the end of the connection, and returns what came before it. errSilent says that it did not end.
func (c *conn) end() (rest []byte, err error) {
	for {
		b, err := c.in.Peek(1)
		if len(b) == 0 {
			if err = plainly(err); errors.Is(err, errEnded) {
				c.note("the server closed the connection")
				return rest, nil
			}
			return rest, err
		}
		b, _ = c.in.Peek(c.in.Buffered())
		rest = append(rest, b[:min(len(b), maxKept-min(len(rest), maxKept))]...)
		c.in.Discard(c.in.Buffered())
	}
}

// reset sends RST when all was written.
func (c *conn) reset() {
	close(c.writes)
	<-c.written
	c.note("reset")
	c.net.SetLinger(0)
	c.net.Close()
}

// close ends the connection; after a reset too.
func (c *conn) close() {
	c.stop()
	c.net.Close()
	select {
	case <-c.written:
		return
	default:
	}
	close(c.writes)
	<-c.written
}
