package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"corelab/apps/planted"
	"corelab/servers"
)

func TestPlantFlags(t *testing.T) {
	for args, want := range map[string]planted.Config{
		"--plant-late 0.02@50ms":         {LateEvery: 50, LateBy: 50 * time.Millisecond},
		"--plant-late 1/30@1s":           {LateEvery: 30, LateBy: time.Second},
		"--plant-late 0.0333@1s":         {LateEvery: 30, LateBy: time.Second},
		"--plant-late 1@1ms":             {LateEvery: 1, LateBy: time.Millisecond},
		"--plant-stall 100ms@1s":         {StallFor: 100 * time.Millisecond, StallEvery: time.Second},
		"--plant-serial 500us":           {Serial: 500 * time.Microsecond},
		"--plant-drift 100":              {Drift: 100},
		"--plant-drift 1us":              {Drift: time.Microsecond},
		"--plant-leak 1024":              {Leak: 1024},
		"--plant-calls 1":                {Calls: 1},
		"--plant-switches 2":             {Switches: 2},
		"--plant-mute 16":                {Mute: 16},
		"--plant-wrong 7":                {Wrong: 7},
		"--plant-long 7":                 {Long: 7},
		"--plant-short 7":                {Short: 7},
		"--plant-error 7":                {Error: 7},
		"--plant-close 7":                {Close: 7},
		"--plant-mute 1 --plant-calls 2": {Mute: 1, Calls: 2},
	} {
		o, err := parse(append(strings.Fields(args), "--app", "planted"))
		if err != nil {
			t.Errorf("%s: %v", args, err)
		} else if o.planted != want {
			t.Errorf("%s: %+v, want %+v", args, o.planted, want)
		}
	}
}

func TestPlantErrors(t *testing.T) {
	const on = "--app planted "
	for _, test := range []struct{ args, want string }{
		{"--plant-late 0.02@50ms", "--plant-late is for the app planted, not for lab; add --app planted"},
		{"--plant-close 0", "--plant-close is for the app planted"},
		{on + "--plant-late 50ms", "write it like 0.02@50ms"},
		{on + "--plant-late 0.3@50ms", "0.3 is not one in a whole number of answers; the nearest is 1/3"},
		{on + "--plant-late 0@50ms", `"0" is no fraction above 0`},
		{on + "--plant-late 2@50ms", `"2" is no fraction above 0 and up to 1`},
		{on + "--plant-late NaN@50ms", `"NaN" is no fraction`},
		{on + "--plant-late 1/0@50ms", `"1/0" is no fraction; write it like 1/50`},
		{on + "--plant-late 0.5@50", `"50" is no delay`},
		{on + "--plant-late 0.5@1ns", "the delay of a late answer: 1ns is out of range"},
		{on + "--plant-stall 1s", "write it like 100ms@1s"},
		{on + "--plant-stall 0@1s", `"0" is no length of a stall`},
		{on + "--plant-stall 1s@1s", "it must be longer than they are"},
		{on + "--plant-serial -1s", "the service time: -1s is out of range"},
		{on + "--plant-mute -1", "-1 is out of range"},
		{on + "--plant-leak 1000000000000", "the bytes leaked by a request"},
		{on + "--plant-drift fast", "give nanoseconds of CPU time each second"},
		{on + "--plant-drift 1s", "the drift: 1s"},
		{on + "--core raw --plant-wrong 1", "core raw calls no handler"},
		{on + "--core sequential --plant-mute 1", "core sequential serves nobody else meanwhile"},
		{on + "--core sequential --plant-late 0.5@1ms", "hold replies"},
		{on + "--core sequential --plant-serial 1ms", "hold replies"},
		{on + "--core evio --plant-short 2", "would end a cut answer only after --linger"},
		{"--core raw --ballast 200ns", "core raw calls no handler that could carry it"},
		{"--ballast -200ns", "--ballast -200ns is out of range"},
		{"--ballast 1ns", "--ballast 1ns is out of range; give CPU time for each request from 10ns to 100ms"},
		{"--ballast 1s", "--ballast 1s is out of range"},
		{"--ballast 200", "parse error"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(strings.Fields(test.args), &stdout, &stderr)
		if got := stderr.String(); code != exitUsage || !strings.Contains(got, test.want) || strings.Count(got, "\n") != 1 {
			t.Errorf("%s: exit code %d, errors %q, want %q", test.args, code, got, test.want)
		}
	}
	if _, err := parse([]string{"--core", "raw", "--app", "planted"}); err != nil {
		t.Errorf("raw without plants: %v", err) // its one answer is the same
	}
}

// TestPlantFlagsPrint reads back what the flags print.
func TestPlantFlagsPrint(t *testing.T) {
	for _, value := range []flag.Value{new(lateFlag), new(stallFlag), new(driftFlag)} {
		if value.String() != "" {
			t.Errorf("%T without a value prints %q", value, value.String())
		}
	}
	for text, value := range map[string]flag.Value{"1/50@50ms": new(lateFlag), "100ms@1s": new(stallFlag), "7": new(driftFlag)} {
		if err := value.Set(text); err != nil || value.String() != text {
			t.Errorf("%T prints %q for %q, %v", value, value.String(), text, err)
		}
	}
}

// client is a connection that is kept.
type client struct {
	net.Conn
	in *bufio.Reader
}

func (p *process) dial() *client {
	p.t.Helper()
	c, err := net.Dial("tcp4", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(bound))
	return &client{c, bufio.NewReader(c)}
}

// reply is what came of one request.
type reply struct {
	status int // 0: nothing came but the end of the connection
	body   string
	err    error // of reading the answer
}

// said is a reply in short.
func (r reply) said() string {
	switch {
	case r.status == 0 && errors.Is(r.err, io.ErrUnexpectedEOF) || r.status == 0 && errors.Is(r.err, io.EOF):
		return "closed"
	case r.status != 0 && errors.Is(r.err, io.ErrUnexpectedEOF):
		return fmt.Sprint(r.status, " ", r.body, " cut")
	case r.err != nil:
		return r.err.Error()
	}
	return fmt.Sprint(r.status, " ", r.body)
}

func (c *client) send(path string) error {
	_, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: lab\r\n\r\n")
	return err
}

func (c *client) answer() (r reply) {
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return reply{err: err}
	}
	b, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, string(b), err}
}

// fetch asks for a path on the process's own connection, and on a new one when that has ended.
func (p *process) fetch(path string) (r reply) {
	p.t.Helper()
	if p.kept == nil {
		p.kept = p.dial()
	}
	if err := p.kept.send(path); err != nil {
		p.t.Fatal(err)
	}
	r = p.kept.answer()
	if r.err != nil || p.closes {
		p.kept.Close()
		p.kept = nil
	}
	return r
}

// counts asks for what the app has done.
func (p *process) counts() (c planted.Counts) {
	p.t.Helper()
	r := p.fetch("/counts")
	if err := json.Unmarshal([]byte(r.body), &c); err != nil {
		p.t.Fatalf("%v in %q", err, r.said())
	}
	c.Elapsed = 0
	return c
}

// onCores runs a test on every core that lacks none of the features.
func onCores(t *testing.T, test func(t *testing.T, start func(args ...string) *process), needs ...servers.Feature) {
next:
	for _, core := range servers.Cores {
		for _, f := range append(needs, servers.Parsing) {
			if lacks(core, f) {
				continue next
			}
		}
		t.Run(core.Name, func(t *testing.T) {
			test(t, func(args ...string) *process {
				p := start(t, append([]string{"--app", "planted", "--core", core.Name, "--threads", "8"}, args...)...)
				p.closes = lacks(core, servers.KeepAlive)
				return p
			})
		})
	}
}

const right = "200 Hello, World!"

func TestPlantedFaults(t *testing.T) {
	faults := []struct {
		flag, bad string
		counts    planted.Counts
	}{
		{"--plant-wrong", "200 Hello, World?", planted.Counts{Wrong: 3}},
		{"--plant-long", "200 Hello, World!!", planted.Counts{Long: 3}},
		{"--plant-error", "500 planted error\n", planted.Counts{Errors: 3}},
		{"--plant-close", "closed", planted.Counts{Closed: 3}},
		{"--plant-short", "200 Hello,  cut", planted.Counts{Short: 3}},
	}
	play := func(t *testing.T, start func(args ...string) *process, k int) {
		f := faults[k]
		p := start(f.flag, "4", "--workers", "2")
		for i := 1; i <= 14; i++ {
			want := right
			if i%4 == 0 {
				want = f.bad
			}
			if got := p.fetch("/planted").said(); got != want {
				t.Errorf("%s: answer %d is %q, want %q", f.flag, i, got, want)
			}
			if got := p.fetch("/plaintext").said(); got != right {
				t.Errorf("%s: /plaintext is %q", f.flag, got)
			}
		}
		f.counts.Requests, f.counts.Answers = 14, 14
		if got := p.counts(); got != f.counts {
			t.Errorf("%s: the counts are %+v, want %+v", f.flag, got, f.counts)
		}
		p.signal(syscall.SIGTERM)
		if code, _ := p.wait(); code != 0 || p.stderr.String() != "" {
			t.Errorf("%s: exit code %d; %s", f.flag, code, p.stderr.String())
		}
	}
	onCores(t, func(t *testing.T, start func(args ...string) *process) {
		for k := range faults[:4] {
			play(t, start, k)
		}
	})
	onCores(t, func(t *testing.T, start func(args ...string) *process) { play(t, start, 4) }, servers.HalfClose)
}

// TestPlantedLate: every fifth answer comes after the delay, while others are answered.
func TestPlantedLate(t *testing.T) {
	const delay = 40 * time.Millisecond
	onCores(t, func(t *testing.T, start func(args ...string) *process) {
		p := start("--plant-late", fmt.Sprintf("0.2@%v", delay))
		for i := 1; i <= 15; i++ {
			begin := time.Now()
			if got := p.fetch("/planted").said(); got != right {
				t.Errorf("answer %d is %q", i, got)
			}
			if took := time.Since(begin); i%5 == 0 && took < delay {
				t.Errorf("answer %d came after %v", i, took)
			}
		}
		if got, want := p.counts(), (planted.Counts{Requests: 15, Answers: 15, Late: 3}); got != want {
			t.Errorf("the counts are %+v, want %+v", got, want)
		}
	}, servers.Holding)
}

// TestPlantedMute: two connections are never answered, the third is; and when they leave, the server ends at once.
func TestPlantedMute(t *testing.T) {
	onCores(t, func(t *testing.T, start func(args ...string) *process) {
		p := start("--plant-mute", "2", "--grace", "1m")
		muted := []*client{p.dial(), p.dial()}
		for i, c := range muted {
			if err := c.send("/planted"); err != nil {
				t.Fatal(err)
			}
			await(t, "a muted connection", func() bool { return p.counts().Muted == uint64(i+1) })
		}
		for range 3 {
			if got := p.fetch("/planted").said(); got != right {
				t.Errorf("the third connection gets %q", got)
			}
		}
		for _, c := range muted {
			c.SetReadDeadline(time.Now().Add(time.Millisecond))
			if b, err := c.in.ReadByte(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a muted connection gets %q, %v", b, err)
			}
			c.Conn.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
		if got, want := p.counts(), (planted.Counts{Requests: 5, Answers: 3, Muted: 2}); got != want {
			t.Errorf("the counts are %+v, want %+v", got, want)
		}
		if p.kept != nil {
			p.kept.Close()
		}
		p.signal(syscall.SIGTERM)
		if code, _ := p.wait(); code != 0 {
			t.Errorf("exit code %d; %s", code, p.stderr.String())
		}
	}, servers.Holding)
}

// TestPlantedSerial: four connections at once are served one after the other, so that all take four services.
func TestPlantedSerial(t *testing.T) {
	const service, n = 10 * time.Millisecond, 4
	onCores(t, func(t *testing.T, start func(args ...string) *process) {
		p := start("--plant-serial", fmt.Sprint(service), "--workers", "2")
		var clients []*client
		for range n {
			clients = append(clients, p.dial())
		}
		begin := time.Now()
		for _, c := range clients {
			if err := c.send("/planted"); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range clients {
			if got := c.answer().said(); got != right {
				t.Errorf("got %q", got)
			}
		}
		if took := time.Since(begin); took < n*service {
			t.Errorf("%d requests took %v", n, took)
		}
	}, servers.Holding)
}

// TestPlantedStall: two loops' connections are answered by none while the stall lasts.
func TestPlantedStall(t *testing.T) {
	const length, period = 200 * time.Millisecond, time.Hour
	onCores(t, func(t *testing.T, start func(args ...string) *process) {
		p := start("--plant-stall", fmt.Sprintf("%v@%v", length, period), "--workers", "2")
		var clients []*client
		for range 4 {
			c := p.dial()
			if err := c.send("/planted"); err != nil {
				t.Fatal(err)
			}
			clients = append(clients, c)
		}
		var c planted.Counts
		for _, client := range clients {
			if got := client.answer().said(); got != right {
				t.Errorf("got %q", got)
			}
			if err := json.Unmarshal([]byte(p.fetch("/counts").body), &c); err != nil {
				t.Fatal(err)
			}
			if elapsed := time.Duration(c.Elapsed); elapsed < length {
				t.Errorf("an answer came %v after the start", elapsed)
			}
		}
	}, servers.Concurrent)
}

// TestPlantedLeak: what is resident grows by what is leaked.
func TestPlantedLeak(t *testing.T) {
	const each, n = 100_000, 200
	onCores(t, func(t *testing.T, start func(args ...string) *process) {
		p := start("--plant-leak", fmt.Sprint(each))
		p.fetch("/planted")
		before := p.resident()
		for range n {
			p.fetch("/planted")
		}
		// A connection of each request, as on sequential, and the heap up to its first collection cost something, too.
		if got := p.resident() - before; got < n*each*98/100 || got > n*each*98/100+(8<<20) {
			t.Errorf("%d bytes more are resident, want %d", got, n*each)
		}
	})
}

// resident returns the bytes of anonymous memory of the process.
func (p *process) resident() int {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		p.t.Fatal("no RssAnon in the status of the process")
	}
	kib, err := strconv.Atoi(fields[0])
	if err != nil {
		p.t.Fatal(err)
	}
	return kib << 10
}

// TestPlantedWeight: calls, switches and drift do not change the answers, and cost CPU time.
func TestPlantedWeight(t *testing.T) {
	onCores(t, func(t *testing.T, start func(args ...string) *process) {
		p := start("--plant-calls", "100", "--plant-switches", "2", "--plant-drift", "1ms")
		for range 20 {
			if got := p.fetch("/planted").said(); got != right {
				t.Errorf("got %q", got)
			}
		}
		if got, want := p.counts(), (planted.Counts{Requests: 20, Answers: 20}); got != want {
			t.Errorf("the counts are %+v, want %+v", got, want)
		}
	})
}
