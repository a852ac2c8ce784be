package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"corelab/servers"
)

const (
	keepers     = 24   // clients that keep their connection
	churners    = 8    // clients with a connection for each request
	loadedFirst = 1000 // answers before the signal
	termRounds  = 3    // signals to each core
)

// What SIGTERM may do to a request, RFC 9112 §9.6. A request is accepted once the server has read it: it is answered, whole.
// One on a connection that nobody has accepted, since it was in the backlog while the listener was closed, is reset: queued.
// One that comes to an accepted connection after the server has closed it, having read nothing, finds the connection ended in
// order, before any byte of an answer: it was not accepted, and its client asks again elsewhere.
type visits struct {
	mu      sync.Mutex
	served  int // connections with an answer at least
	refused int // connections without, by RST: queued
	closed  int // connections without, by FIN: accepted, and nothing of them read
	crossed int // requests on a served connection that found it ended in order
	wrong   []string

	answers atomic.Int64
}

// client asks, on one connection after the other, until one is refused or ends without an answer.
func (v *visits) client(addr string, keep bool) {
	for {
		c, err := net.DialTimeout("tcp4", addr, bound)
		if err != nil {
			// ECONNRESET is a listener that closed between the two halves of a handshake.
			if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ECONNRESET) {
				v.fail("connect: %v", err)
			}
			return
		}
		c.SetDeadline(time.Now().Add(bound))
		goOn := v.visit(c, keep)
		c.Close()
		if !goOn {
			return
		}
	}
}

// visit asks on c until the server announces its close, once if keep is false, and reports whether that was the end.
func (v *visits) visit(c net.Conn, keep bool) (announced bool) {
	const request = "GET /plaintext HTTP/1.1\r\nHost: lab\r\n\r\n"
	b := make([]byte, 4096)
	for n := 0; ; n++ {
		_, err := io.WriteString(c, request)
		got := 0
		for err == nil && !bytes.HasSuffix(b[:got], []byte("\r\n\r\nHello, World!")) {
			var k int
			k, err = c.Read(b[got:])
			got += k
		}
		if err != nil {
			v.ended(n, b[:got], err)
			return false
		}
		v.answers.Add(1)
		if n == 0 {
			v.mu.Lock()
			v.served++
			v.mu.Unlock()
		}
		if !keep || bytes.Contains(b[:got], []byte("\r\nConnection: close\r\n")) {
			return true
		}
	}
}

// ended judges a connection that ended after n answers, with got of the next.
func (v *visits) ended(n int, got []byte, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	inOrder := err == io.EOF || errors.Is(err, syscall.EPIPE) // EPIPE: its FIN was here before we wrote
	switch {
	case len(got) > 0 || !inOrder && !errors.Is(err, syscall.ECONNRESET):
		v.wrong = append(v.wrong, fmt.Sprintf("after %d answers %q and %v", n, got, err))
	case n > 0 && inOrder:
		v.crossed++
	case n > 0:
		v.wrong = append(v.wrong, fmt.Sprintf("after %d answers the next request was reset", n))
	case inOrder:
		v.closed++
	default:
		v.refused++
	}
}

func (v *visits) fail(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.wrong = append(v.wrong, fmt.Sprintf(format, args...))
}

// listens reports whether p's port has a listener.
func (p *process) listens() bool {
	p.t.Helper()
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(p.url, "http://"))
	var number int
	fmt.Sscan(port, &number)
	b, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		p.t.Fatal(err)
	}
	local, listen := fmt.Sprintf(":%04X", number), "0A"
	for _, line := range strings.Split(string(b), "\n") {
		if f := strings.Fields(line); len(f) > 3 && strings.HasSuffix(f[1], local) && f[3] == listen {
			return true
		}
	}
	return false
}

// accepted is the number of connections that p has ever accepted.
func (p *process) accepted() (n uint64) {
	for _, w := range p.ask("?").Workers {
		n += w.Accepted
	}
	return n
}

// TestTermUnderLoad ends each core while clients ask as fast as they can, again and again: no request that was accepted is
// lost. A request in flight holds the process meanwhile, so that it can be asked how many connections it has accepted and how
// many requests it has begun to answer, and each can be found at a client.
func TestTermUnderLoad(t *testing.T) {
	for _, core := range servers.Cores {
		if lacks(core, servers.Parsing) {
			continue
		}
		t.Run(core.Name, func(t *testing.T) {
			crowded := 0
			for range termRounds {
				if termUnderLoad(t, core) > keepers/2 {
					crowded++
				}
			}
			// A client that stalls may be late, but not most of them each time: whoever is idle has time for one more request.
			if crowded == termRounds {
				t.Errorf("each time most of %d clients found their connection closed", keepers)
			}
		})
	}
}

// termUnderLoad returns how many requests found their served connection closed.
func termUnderLoad(t *testing.T, core servers.Core) (late int) {
	p := start(t, "--core", core.Name, "--workers", "2", "--threads", "8", "--body-idle", "1m", "--grace", bound.String())
	files := len(p.openFiles())
	alone := lacks(core, servers.Concurrent)
	var held net.Conn
	if !alone {
		held = p.upload() // before the load, whose connections never leave a pool's thread
	}
	v := new(visits)
	var clients sync.WaitGroup
	for i := range keepers + churners {
		clients.Go(func() { v.client(strings.TrimPrefix(p.url, "http://"), i < keepers) })
	}
	await(t, "load", func() bool { return v.answers.Load() >= loadedFirst })
	if alone {
		held = p.upload()
	}
	p.signal(syscall.SIGTERM)
	stops := !lacks(core, servers.Backlog)
	if stops {
		await(t, "closed listener", func() bool { return !p.listens() })
	}
	var accepted uint64
	if alone { // the clients wait behind the upload, and all of them were accepted
		accepted = p.accepted() + uint64(len(p.openFiles())-files-1)
	}
	release := func() {
		if _, err := io.WriteString(held, "12345"); err != nil {
			t.Error(err)
		}
		if b, err := io.ReadAll(held); err != nil || !strings.HasSuffix(string(b), "\r\n\r\n5") {
			t.Errorf("the upload got %q, %v", b, err)
		}
		held.Close()
	}
	if alone {
		release()
	}
	clients.Wait()
	if !alone {
		f := p.ask("?")
		if begun, got := f.requests(), uint64(v.answers.Load()); begun != got {
			t.Errorf("%d requests were begun to be answered, and %d answers came", begun, got)
		}
		accepted = p.accepted()
		release()
	}
	if code, _ := p.wait(); code != 0 || p.stderr.String() != "" {
		t.Errorf("exit code %d; %s", code, p.stderr.String())
	}
	if len(v.wrong) > 0 {
		t.Errorf("%d accepted requests were lost, such as one: %s", len(v.wrong), v.wrong[0])
	}
	if !stops {
		t.Logf("%d answers; at the end %d connections were closed or reset unanswered: it goes on accepting", v.answers.Load(), v.refused+v.closed)
		return v.crossed
	}
	lost := int(accepted) - 1 - v.served - v.closed
	if lost != 0 {
		t.Errorf("of %d accepted connections %d were served and %d asked for nothing in time: %d were lost", accepted-1, v.served, v.closed, lost)
	}
	t.Logf("%d answers, %d accepted connections; of the clients' requests at the end %d were queued and reset, %d too late, %d accepted and lost",
		v.answers.Load(), accepted-1, v.refused, v.closed+v.crossed, lost)
	return v.crossed
}
