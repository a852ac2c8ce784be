package servers_test

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"corelab/httpcore"
	"corelab/servers"
)

// cores returns the cores that this process tests, in the table's order: all that parse but alone, or alone.
func cores() []servers.Core {
	return slices.DeleteFunc(parsing(), func(c servers.Core) bool { return (c.Name == alone) != inAlone() })
}

// parsing returns all cores that parse, in the table's order.
func parsing() []servers.Core {
	return slices.DeleteFunc(slices.Clone(servers.Cores), func(c servers.Core) bool { return lacks(c, servers.Parsing) })
}

func lacks(c servers.Core, f servers.Feature) bool {
	return slices.ContainsFunc(c.Lacks, func(l servers.Lack) bool { return l.Feature == f })
}

// running is a core that serves.
type running struct {
	core servers.Core
	servers.Server
	*service
	relays *relays // of a test of outbound connections
	stop   func()  // ends the context; the result comes on done
	done   chan error
}

// usable skips a test of a core that this machine cannot run.
func usable(t testing.TB, core servers.Core) {
	t.Helper()
	if core.Usable != nil {
		if err := core.Usable(); err != nil {
			t.Skip(err)
		}
	}
}

// start serves s on core until the test ends, and then holds the core to draining without an error.
func start(t testing.TB, core servers.Core, s *service, cfg servers.Config) *running {
	t.Helper()
	usable(t, core)
	if cfg.Workers == 0 {
		cfg.Workers = 2
	}
	if cfg.Grace == 0 {
		cfg.Grace = 300 * time.Millisecond
	}
	srv, err := core.New(cfg.Filled(), s.Handler)
	if err != nil {
		t.Fatalf("%s: %v", core.Name, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{core: core, Server: srv, service: s, stop: cancel, done: make(chan error, 1)}
	ended := make(chan struct{})
	go func() {
		r.done <- srv.Serve(ctx)
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(patience):
			stacks := make([]byte, 1<<20)
			t.Errorf("%s: Serve did not return after its context ended\n%s", core.Name, stacks[:runtime.Stack(stacks, true)])
		}
	})
	return r
}

// on runs check against core, which must fail exactly where the core says that it lacks one of the features.
func on(t *testing.T, core servers.Core, check func() error, features ...servers.Feature) {
	t.Helper()
	err := check()
	for _, f := range features {
		if !lacks(core, f) {
			continue
		}
		if err == nil {
			t.Errorf("%s passes, but its Lacks name %s: take that line out", core.Name, f)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v", core.Name, err)
	}
}

// each runs check on every core, all at once, each with a server of its own.
func each(t *testing.T, limits httpcore.Limits, cfg servers.Config, check func(r *running) error, features ...servers.Feature) {
	t.Parallel()
	for _, core := range cores() {
		t.Run(core.Name, func(t *testing.T) {
			t.Parallel()
			r := start(t, core, newService(t, limits), cfg)
			on(t, core, func() error { return check(r) }, features...)
		})
	}
}

// wireCase is bytes sent and the answers that must come.
type wireCase struct {
	name    string
	feature servers.Feature // what a core must have for it; empty for what all have
	send    string
	want    []want
	open    bool // the connection still serves afterwards; otherwise the server closes it
}

// want is one answer.
type want struct {
	method string // of the request; empty for any that is not HEAD
	status int
	body   string // exact, where status is below 300
	field  string // a field line that must be there, or, after '!', a name that must not
}

// casesAtOnce is how many wire cases a core is given at a time: some wait until a lingering connection is closed.
const casesAtOnce = 16

func TestWire(t *testing.T) {
	t.Parallel()
	var cases []wireCase
	for _, group := range [][]wireCase{
		requestLineCases, versionCases, targetCases, hostCases, fieldCases, limitCases(),
		lengthCases, chunkedCases, codingCases, expectCases,
		connectionCases, pipelineCases(), contentCases, sourceCases,
	} {
		cases = append(cases, group...)
	}
	seen := make(map[string]bool)
	for _, c := range cases {
		if seen[c.name] {
			t.Fatalf("two cases %q", c.name)
		}
		seen[c.name] = true
	}
	var all transcripts
	t.Run("core", func(t *testing.T) {
		for _, core := range cores() {
			t.Run(core.Name, func(t *testing.T) {
				t.Parallel()
				r := start(t, core, newService(t, testLimits), servers.Config{})
				var group sync.WaitGroup
				turn := make(chan struct{}, casesAtOnce)
				for _, c := range cases {
					turn <- struct{}{}
					group.Go(func() {
						t.Run(c.name, func(t *testing.T) {
							on(t, core, func() error { return c.run(r, &all) }, c.features()...)
						})
						<-turn
					})
				}
				group.Wait()
			})
		}
	})
	handOver := all.keep
	if inAlone() {
		handOver = all.fetch
	}
	if err := handOver(); err != nil {
		t.Fatal(err)
	}
	all.compare(t)
}

// features says what c needs.
func (c *wireCase) features() []servers.Feature {
	if c.feature == "" {
		return nil
	}
	return []servers.Feature{c.feature}
}

// run plays c against r, and records the bytes of its answers.
func (c *wireCase) run(r *running, all *transcripts) error {
	conn, err := dial(r.Addr())
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.send(c.send); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	open := c.open && !lacks(r.core, servers.KeepAlive)
	for i, w := range c.want {
		a, err := conn.answer(w.method)
		if err != nil {
			return fmt.Errorf("answer %d: %w", i+1, err)
		}
		if err := w.check(a); err != nil {
			return fmt.Errorf("answer %d: %w in\n%s", i+1, err, a.raw)
		}
		if last := i == len(c.want)-1; a.status >= 200 && a.closes() != (last && !open) {
			return fmt.Errorf("answer %d says close: %v\n%s", i+1, a.closes(), a.raw)
		}
	}
	all.add(c.name, r.core.Name, conn.got[:conn.at])
	if !open {
		return conn.end()
	}
	if err := conn.send(get); err != nil {
		return fmt.Errorf("one more request: %w", err)
	}
	a, err := conn.answer("")
	if err != nil {
		return fmt.Errorf("one more request: %w", err)
	}
	return want{status: 200, body: "Hello, World!"}.check(a)
}

func (w want) check(a *answer) error {
	if a.status != w.status {
		return fmt.Errorf("status %d, not %d", a.status, w.status)
	}
	if w.status < 300 && string(a.body) != w.body {
		return fmt.Errorf("body %.80q, not %.80q", a.body, w.body)
	}
	if name, not := strings.CutPrefix(w.field, "!"); not {
		if v, ok := a.field(name); ok {
			return fmt.Errorf("%s: %s", name, v)
		}
	} else if w.field != "" && !slices.Contains(a.fields, w.field) {
		return fmt.Errorf("no line %q", w.field)
	}
	return nil
}

// transcripts are the bytes that each core answered to each case.
type transcripts struct {
	sync.Mutex
	of map[string]map[string][]byte
}

func (a *transcripts) add(name, core string, b []byte) {
	a.Lock()
	defer a.Unlock()
	if a.of == nil {
		a.of = make(map[string]map[string][]byte)
	}
	if a.of[name] == nil {
		a.of[name] = make(map[string][]byte)
	}
	a.of[name][core] = bytes.Clone(b)
}

var (
	dateLine  = regexp.MustCompile(`\r\nDate: [^\r]*`)
	closeLine = regexp.MustCompile(`\r\nConnection: [^\r]*`)
)

// compare holds all cores to identical bytes: the Date aside, and Connection where a core has no keep-alive.
func (a *transcripts) compare(t *testing.T) {
	all := parsing()
	ref := all[slices.IndexFunc(all, func(c servers.Core) bool { return !lacks(c, servers.KeepAlive) })]
	for name, of := range a.of {
		for _, core := range all {
			first, other := of[ref.Name], of[core.Name]
			if first == nil || other == nil {
				continue // it failed, as it had to, or as was reported
			}
			if x, y := plain(first, core), plain(other, core); !bytes.Equal(x, y) {
				t.Errorf("%s: %s and %s differ:\n%s\n--\n%s", name, ref.Name, core.Name, x, y)
			}
		}
	}
}

// plain is b without what may differ between core and the rest.
func plain(b []byte, core servers.Core) []byte {
	b = dateLine.ReplaceAll(b, []byte("\r\nDate: now"))
	if lacks(core, servers.KeepAlive) {
		b = closeLine.ReplaceAll(b, nil)
	}
	return b
}

// exchange sends s on a connection of its own and returns the first final answer.
func exchange(addr netip.AddrPort, s string) (*answer, error) {
	c, err := dial(addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.send(s); err != nil {
		return nil, err
	}
	return c.answer("")
}

// serves holds r to answering an ordinary request.
func (r *running) serves() error {
	a, err := exchange(r.Addr(), get)
	if err != nil {
		return fmt.Errorf("an ordinary request: %w", err)
	}
	return want{status: 200, body: "Hello, World!"}.check(a)
}

// until waits for a condition that another goroutine will bring about.
func until(what string, holds func() bool) error {
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("not within %v: %s", patience, what)
		}
	}
	return nil
}

// openNow is the number of connections that r has open.
func (r *running) openNow() (n int64) {
	for _, s := range r.Stats() {
		n += s.Open
	}
	return n
}

// accepted is the number of connections that r has ever accepted.
func (r *running) accepted() (n uint64) {
	for _, s := range r.Stats() {
		n += s.Accepted
	}
	return n
}

// endAtOnce has s serve, and stop at once.
func endAtOnce(s servers.Server) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return s.Serve(ctx)
}
