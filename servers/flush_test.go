package servers

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

// flushLoop is the least Loop: time stands still.
type flushLoop struct{ httpcore.Loop }

func (flushLoop) Now() int64 { return 1 }

// socketPair returns two connected stream sockets; the first one does not block and holds little.
func socketPair(t *testing.T) (near, far int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[1]) })
	if err := unix.SetNonblock(fds[0], true); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_SNDBUF, 4096); err != nil {
		t.Fatal(err)
	}
	return fds[0], fds[1]
}

// flushConn returns a Conn that has been sent that many requests.
func flushConn(t *testing.T, reply func() *httpcore.Reply, requests int) *httpcore.Conn {
	t.Helper()
	var r httpcore.Router
	if err := r.Add(httpcore.Route{Method: "GET", Pattern: "/", Serve: func(x *httpcore.Exchange) { x.Reply(reply()) }}); err != nil {
		t.Fatal(err)
	}
	env := &httpcore.Env{Handler: httpcore.NewHandler(&r, httpcore.Limits{}, "s"), Buffers: &freeList{}}
	var d dateline
	d.refresh(env, 1)
	c := new(httpcore.Conn)
	c.Open(env, flushLoop{}, 1)
	c.Feed(bytes.Repeat([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), requests), 1)
	return c
}

// memoryFile is a File that is no descriptor.
type memoryFile struct{ *bytes.Reader }

func (memoryFile) Close() error { return nil }
func (memoryFile) Fd() uintptr  { return ^uintptr(0) }

// unsendable is a File whose descriptor sendfile refuses.
type unsendable struct {
	memoryFile
	pipe *os.File
}

func (f unsendable) Fd() uintptr { return f.pipe.Fd() }

func TestFlush(t *testing.T) {
	content := bytes.Repeat([]byte("corelab!"), 50_000)
	disk := func() httpcore.File {
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(content); err != nil {
			t.Fatal(err)
		}
		return f
	}
	pipe, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	defer end.Close()
	n := int64(len(content))
	for _, c := range []struct {
		name     string
		requests int
		reply    func() *httpcore.Reply
	}{
		{"small", 1, func() *httpcore.Reply { return &httpcore.Reply{Body: content[:8]} }},
		{"pipelined", 50, func() *httpcore.Reply { return &httpcore.Reply{Body: content[:8]} }},
		{"large", 1, func() *httpcore.Reply { return &httpcore.Reply{Body: content} }},
		{"large and pipelined", 3, func() *httpcore.Reply { return &httpcore.Reply{Body: content[:70_000]} }},
		{"file", 2, func() *httpcore.Reply { return &httpcore.Reply{File: disk(), Len: n} }},
		{"part of a file", 1, func() *httpcore.Reply { return &httpcore.Reply{File: disk(), Off: 8, Len: n - 16} }},
		{"no descriptor", 2, func() *httpcore.Reply {
			return &httpcore.Reply{File: memoryFile{bytes.NewReader(content)}, Len: n}
		}},
		{"not for sendfile", 1, func() *httpcore.Reply {
			return &httpcore.Reply{File: unsendable{memoryFile{bytes.NewReader(content)}, pipe}, Len: n}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := pendingBytes(t, flushConn(t, c.reply, c.requests))
			near, far := socketPair(t)
			conn := flushConn(t, c.reply, c.requests)
			got, begin := make(chan []byte), make(chan struct{})
			read := sync.OnceFunc(func() { close(begin) })
			go func() {
				<-begin                               // not before the socket was full
				b, _ := io.ReadAll(socketReader(far)) // slow: it takes little at a time
				got <- b
			}()
			full := 0
			var f flusher
			for how := flushMore; how != flushDone; {
				var err error
				how, err = f.flush(near, conn)
				switch how {
				case flushGone:
					t.Fatal(err)
				case flushFull:
					full++
					read()
					poll := []unix.PollFd{{Fd: int32(near), Events: unix.POLLOUT}}
					if _, err := unix.Poll(poll, int(bound.Milliseconds())); err != nil && err != unix.EINTR {
						t.Fatal(err)
					}
				case flushDone:
					// Output beyond a Conn's bound is made once there is room.
					for conn.Want()&httpcore.Again != 0 {
						conn.Pump(1)
					}
					if conn.Want()&httpcore.Write != 0 {
						how = flushMore
					}
				}
			}
			unix.Close(near)
			read()
			if b := <-got; !bytes.Equal(b, want) {
				t.Errorf("%d bytes arrived, not the %d of the replies", len(b), len(want))
			}
			if len(want) > 100_000 && full == 0 {
				t.Error("the socket was never full: the test shows nothing")
			}
			for _, s := range f.segments[:cap(f.segments)] {
				if s.Bytes != nil || s.File != nil {
					t.Error("the flusher still holds memory of a reply")
				}
			}
			conn.Abort(nil)
		})
	}
}

// pendingBytes takes everything that c has to send, without a socket.
func pendingBytes(t *testing.T, c *httpcore.Conn) []byte {
	t.Helper()
	var all []byte
	for {
		segments := c.Pending(nil)
		if len(segments) == 0 {
			if c.Want()&httpcore.Again == 0 {
				c.Abort(nil)
				return all
			}
			c.Pump(1)
			continue
		}
		s := segments[0]
		b := s.Bytes
		if s.File != nil {
			b = make([]byte, s.Len)
			if _, err := s.File.ReadAt(b, s.Off); err != nil && err != io.EOF {
				t.Fatal(err)
			}
		}
		all = append(all, b...)
		c.Wrote(int64(len(b)))
	}
}

// socketReader reads a blocking descriptor in small pieces.
type socketReader int

func (r socketReader) Read(b []byte) (int, error) {
	n, errno := recvWait(int(r), b[:min(len(b), 1500)])
	switch {
	case errno != 0:
		return 0, errno
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// TestFlushGone writes to a peer that has left, and a file that is shorter than its reply says.
func TestFlushGone(t *testing.T) {
	near, far := socketPair(t)
	defer unix.Close(near)
	conn := flushConn(t, func() *httpcore.Reply { return &httpcore.Reply{Body: []byte("x")} }, 1)
	unix.Shutdown(far, unix.SHUT_RDWR)
	var f flusher
	if how, err := f.flush(near, conn); how != flushGone || !errors.Is(err, unix.EPIPE) {
		t.Errorf("to a closed peer: %d, %v", how, err)
	}
	for _, file := range []func() httpcore.File{
		func() httpcore.File { return memoryFile{bytes.NewReader([]byte("12345"))} },
		func() httpcore.File {
			f, err := os.CreateTemp(t.TempDir(), "")
			if err != nil {
				t.Fatal(err)
			}
			f.WriteString("12345")
			return f
		},
	} {
		near, _ := socketPair(t)
		conn := flushConn(t, func() *httpcore.Reply { return &httpcore.Reply{File: file(), Len: 6} }, 1)
		if how, err := f.flush(near, conn); how != flushGone || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("a short file: %d, %v", how, err)
		}
		conn.Abort(nil)
		unix.Close(near)
	}
}

// TestFlushTurn writes more than a turn's share to a peer that takes it all.
func TestFlushTurn(t *testing.T) {
	near, far := socketPair(t)
	if err := unix.SetNonblock(near, false); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 3*turnBytes)
	conn := flushConn(t, func() *httpcore.Reply { return &httpcore.Reply{Body: body} }, 1)
	go io.Copy(io.Discard, socketReader(far))
	f := flusher{block: true}
	turns := 1
	for {
		how, err := f.flush(near, conn)
		if how == flushDone {
			break
		}
		if how != flushMore {
			t.Fatalf("turn %d: %d, %v", turns, how, err)
		}
		turns++
	}
	unix.Close(near)
	if turns < 2 {
		t.Error("three turns' bytes went out in one")
	}
}
