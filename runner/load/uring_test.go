package load

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"corelab/results"
)

// testedEngine is the engine of the loads that the tests plan.
var testedEngine = ""

// byUring has what a test loads be loaded by io_uring. It skips where the kernel makes no ring.
func byUring(t *testing.T) {
	if err := (uringGenerator{}).Available(); err != nil {
		t.Skip(err)
	}
	testedEngine = EngineUring
	t.Cleanup(func() { testedEngine = "" })
}

// What holds by epoll holds by io_uring. Tests of what no engine sees are left out.
func TestByUring(t *testing.T) {
	byUring(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"errors", TestEveryPlantedErrorIsCounted},
		{"pipelining", TestPipelining},
		{"pipelined and closed", TestPipelinedRequestsBehindACloseAreSentAgain},
		{"a connection per request", TestConnectionPerRequest},
		{"methods and bodies", TestMethodsAndBodies},
		{"the reference", TestTheFirstRightAnswerIsTheReference},
		{"samples", TestOneBodyInSoManyIsCompared},
		{"starved", TestConnectionsThatAreNeverAnswered},
		{"resets", TestReset},
		{"nobody listens any more", TestNobodyListensAnyMore},
		{"from due", TestOpenLoopCountsFromDue},
		{"beyond capacity", TestOpenLoopBeyondTheServersCapacity},
		{"late by itself", TestLateByItself},
		{"interrupted", TestInterrupted},
		{"skimmed", TestSkimmedBodies},
		{"no garbage", TestARunMakesNoGarbage},
	} {
		t.Run(test.name, test.run)
	}
}

// The listener closes after some requests, and every connection with it: what follows is refused, not reset.
func TestNobodyListensAnyMore(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for range 100 {
					if _, err := http.ReadRequest(in); err != nil {
						return
					}
					if _, err := c.Write([]byte(good)); err != nil {
						return
					}
				}
				ln.Close()
			}()
		}
	}()
	s := Spec{URL: "http://" + ln.Addr().String() + "/", Connections: 1, Duration: 300 * time.Millisecond, Engine: testedEngine}
	r := run(t, s)
	// One more may have been on its way when the connection closed.
	if r.Requests != 100 || r.Errors.Connect == 0 || r.Errors.Read+r.Errors.Write > 1 || r.Errors.Total() != r.Errors.Connect+r.Errors.Read+r.Errors.Write {
		t.Errorf("%d requests, errors %+v (%s)", r.Requests, r.Errors, r.Example)
	}
}

// More connections than buffers, each with an answer that takes several: a receive that finds none is armed again, and loses
// no byte.
func TestMoreAnswersThanBuffers(t *testing.T) {
	byUring(t)
	const connections, size = 300, 100_000
	if kept := powerOfTwo(connections, ringBuffersMin, ringBuffersMax) * ringBufferMax; connections*size < 2*kept {
		t.Fatalf("%d answers of %d bytes fit into the buffers", connections, size)
	}
	body := repeat(size)
	p := plant(t, func(u *turn) { u.write(answer(200, body)) })
	s := p.spec()
	s.Connections, s.Expect = connections, &Expect{Status: 200, Body: []byte(body)}
	if r := p.load(t, s, 3*connections); r.Errors.Total() != 0 || r.Requests == 0 || r.Checked != r.Requests {
		t.Errorf("%d requests, %d checked, errors %+v (%s)", r.Requests, r.Checked, r.Errors, r.Example)
	}
}

// A connection that is given up is closed, though a receive of it was under way.
func TestWhatIsDroppedIsClosed(t *testing.T) {
	byUring(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var ended atomic.Int64
	p := plant(t, func(u *turn) {
		if u.n > 10 { // each of the ten is the first of its connection, as it ends that
			u.write(good)
			return
		}
		u.write("SSH-2.0\r\n")
		var b [1]byte
		if _, err := u.w.Read(b[:]); err != nil && ended.Add(1) == 10 {
			cancel() // before the ring goes, which ends all
		}
		u.closed = true
	})
	r, err := Run(ctx, p.spec(), nil)
	if err != nil || ended.Load() < 10 || ctx.Err() == nil {
		t.Errorf("%d of 10 connections that were given up were closed: %v", ended.Load(), err)
	}
	if r.Errors != (results.Errors{Parse: 10}) {
		t.Errorf("errors %+v (%s)", r.Errors, r.Example)
	}
}

// What is closed while the last requests go out is closed too.
func TestNoDescriptorIsLeft(t *testing.T) {
	byUring(t)
	p := plant(t, func(u *turn) {
		u.write(strings.Replace(good, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1))
		u.closed = true
	})
	s := p.spec()
	s.Connections, s.NewConn = 30, true
	plan, err := newPlan(s.Filled(), nil)
	if err != nil {
		t.Fatal(err)
	}
	loops, err := plan.loops()
	if err != nil {
		t.Fatal(err)
	}
	plan.drive(p.context(t, 300), loops)
	mine := 0
	for _, c := range loops[0].conns {
		if c.fd >= 0 {
			mine++
		}
	}
	// Sockets of the generator's side, whose other end is the server's port.
	if open := connectedTo(t, plan.peer.addr); open > mine {
		t.Errorf("%d descriptors are open, the loop knows of %d", open, mine)
	}
	loops[0].close()
	if open := connectedTo(t, plan.peer.addr); open != 0 {
		t.Errorf("%d descriptors are left", open)
	}
}

// connectedTo counts this process's descriptors whose peer has the address.
func connectedTo(t *testing.T, a netip.AddrPort) (n int) {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		fd, err := strconv.Atoi(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		name, err := unix.Getpeername(fd)
		if v4, ok := name.(*unix.SockaddrInet4); err == nil && ok && v4.Port == int(a.Port()) {
			n++
		}
	}
	return n
}

func TestEnginesAsTyped(t *testing.T) {
	s := Spec{URL: "http://127.0.0.1:1/", Engine: "kqueue"}
	if err := s.Filled().Check(); err == nil || !strings.Contains(err.Error(), "want epoll or uring") {
		t.Errorf("%v", err)
	}
	g, ok := Find(uringName)
	if !ok {
		t.Fatal("there is no generator " + uringName)
	}
	argv, stdin, err := g.Command("corelab", Spec{URL: "http://127.0.0.1:1/"})
	if err != nil || argv[len(argv)-1] != uringName || !strings.Contains(string(stdin), `"engine":"uring"`) {
		t.Errorf("%q %s %v", argv, stdin, err)
	}
	if got := strings.Join(Spec{URL: "http://127.0.0.1:1/", Engine: EngineUring}.Filled().CommandLine(uringName), " "); !strings.Contains(got, "--generator "+uringName) {
		t.Errorf("by hand: %s", got)
	}
}
