package gateway

import (
	"errors"
	"strings"
	"time"

	"corelab/apps/gateway/settings"
	"corelab/apps/gateway/upstream"
	"corelab/httpcore"
)

// ForwardRoute is what a route says about forward: routes.N.forward.
type ForwardRoute struct {
	Host      string   `toml:"host"`      // the Host field sent: "client", as asked for, or "endpoint"; client
	Forwarded string   `toml:"forwarded"` // who asks, as the upstream is told: "x", "rfc", "trust" or "off"; x
	Upgrades  []string `toml:"upgrades"`  // protocols that a client may switch to, through a tunnel; ["websocket"]
}

// ForwardConfig is what an upstream says about being asked: upstreams.NAME.forward. Connections are counted for each
// endpoint and shard.
type ForwardConfig struct {
	Idle        int               `toml:"idle"`         // connections kept while nobody uses them, 256
	Open        int               `toml:"open"`         // connections in all, 10000; above it 503
	IdleTime    settings.Duration `toml:"idle_time"`    // that one is kept, 60s: less than the upstream keeps it
	Age         settings.Duration `toml:"age"`          // after which one is closed, 1h
	Requests    int               `toml:"requests"`     // on one connection, 100000
	ConnectTime settings.Duration `toml:"connect_time"` // 5s; then 504, or another try
	HeadTime    settings.Duration `toml:"head_time"`    // until an answer begins, 60s; then 504
	BodyIdle    settings.Duration `toml:"body_idle"`    // between two pieces of it, 60s; then it is cut
	WriteIdle   settings.Duration `toml:"write_idle"`   // between two pieces that the upstream takes, 60s; then 504
	TunnelIdle  settings.Duration `toml:"tunnel_idle"`  // in which nothing goes through a tunnel, either way, 5m; then it ends
	Retries     *int              `toml:"retries"`      // further attempts for one request, 1
	RetryShare  *float64          `toml:"retry_share"`  // of all requests that may be tried again, 0.2
}

// Bounds of what a configuration may ask for.
const (
	maxRetries = 10
	maxOpen    = 1 << 20
)

// ForwardPlace is what the stage forward knows about a request: asking it.
type ForwardPlace struct {
	stage   *forward
	conn    *upstream.Conn // the attempt's; nil once that is over
	attempt Attempt
	began   int64 // the attempt, loop time, ns
	tries   int   // attempts begun

	buf       []byte // content of the answer that the client has not taken: from off on
	off       int
	lent      int  // bytes from off on that Next gave out
	content   bool // the request has content
	streaming bool // and it comes
	given     bool // and some of it went to an upstream
	paused    bool // the client is, until the upstream takes more
	whole     bool // the answer's content is
	reported  bool // the attempt was
}

// forward asks an endpoint, and hands its answer on.
type forward struct {
	up       *Upstream
	settings *upstream.Settings
	pools    []Kept[forwardPool] // by endpoint
	shared   Kept[forwardShard]
	request  upstream.Request
	own      bool // the Host sent is the endpoint's
	retries  int
	share    float64
}

// forwardPool is a shard's connections to one endpoint.
type forwardPool struct{ *upstream.Pool }

// Retire implements Retirer.
func (p *forwardPool) Retire(*Shard) { p.Pool.Retire() }

// forwardShard is what a shard keeps for an upstream.
type forwardShard struct {
	budget *upstream.Budget
	lines  []byte   // memory for the field lines of an answer
	spare  [][]byte // memory for the content of answers, of relaySize each
	next   int      // the endpoint that is asked next, where no stage chooses
}

const (
	// relaySize is the memory of an answer that comes faster than its client takes it: two reads of a core.
	relaySize = 2 * relayRead
	relayRead = 64 << 10
	// maxSpareRelays bounds what a shard keeps of it.
	maxSpareRelays = 64
	// maxInPlace is the longest content that is handed on where it was received: shorter than any Limits.Inline is.
	maxInPlace = 512
)

// buildForward compiles the stage for a route.
func buildForward(b *Builder, rt *RouteConfig, up *Upstream, at string) Stage {
	if up == nil {
		if rt.Forward != nil {
			b.Fault(at+".forward", "there is no upstream to forward to; write upstream = \"NAME\"")
		}
		return nil
	}
	s := &forward{up: up, retries: 1, share: 0.2}
	c := &up.Config.Forward
	key := "upstreams." + up.Name + ".forward"
	s.settings = Memo(b, "forward", up.Name, func() *upstream.Settings { return c.settings(b, key) })
	if c.Retries != nil {
		s.retries = *c.Retries
	}
	if c.RetryShare != nil {
		s.share = *c.RetryShare
	}
	for _, ep := range up.Endpoints {
		s.pools = append(s.pools, Keep(b, "pool", ep.Name, func(*Shard) *forwardPool {
			return &forwardPool{upstream.NewPool(ep.Addr)}
		}))
	}
	s.shared = Keep(b, "forward", up.Name, func(*Shard) *forwardShard {
		return &forwardShard{budget: upstream.NewBudget()}
	})
	s.request.Forwarded, s.request.Upgrades = upstream.ForwardedX, []string{"websocket"}
	if rt.Forward != nil {
		s.route(b, rt.Forward, at+".forward")
	}
	return s
}

// settings checks what an upstream says.
func (c *ForwardConfig) settings(b *Builder, at string) *upstream.Settings {
	if c.Idle < 0 || c.Open < 0 || c.Open > maxOpen || c.Requests < 0 {
		b.Fault(at, "idle, open and requests must not be below 0, nor open above %d", maxOpen)
	}
	if c.Retries != nil && (*c.Retries < 0 || *c.Retries > maxRetries) {
		b.Fault(at+".retries", "retries must be between 0 and %d", maxRetries)
	}
	if c.RetryShare != nil && !(*c.RetryShare >= 0 && *c.RetryShare <= 1) {
		b.Fault(at+".retry_share", "retry_share must be between 0 and 1")
	}
	return upstream.NewSettings(upstream.Limits{
		Idle: c.Idle, Open: c.Open, Requests: c.Requests,
		IdleTime: time.Duration(c.IdleTime), Age: time.Duration(c.Age), ConnectTime: time.Duration(c.ConnectTime),
		HeadTime: time.Duration(c.HeadTime), BodyIdle: time.Duration(c.BodyIdle), WriteIdle: time.Duration(c.WriteIdle),
		TunnelIdle: time.Duration(c.TunnelIdle),
	})
}

// route takes what a route says.
func (s *forward) route(b *Builder, c *ForwardRoute, at string) {
	switch c.Host {
	case "", "client":
	case "endpoint":
		s.own = true
	default:
		b.Fault(at+".host", "host is \"client\" or \"endpoint\", not %q", c.Host)
	}
	switch c.Forwarded {
	case "", "x":
	case "rfc":
		s.request.Forwarded = upstream.ForwardedRFC
	case "trust":
		s.request.Forwarded = upstream.ForwardedTrust
	case "off":
		s.request.Forwarded = upstream.ForwardedOff
	default:
		b.Fault(at+".forwarded", "forwarded is \"x\", \"rfc\", \"trust\" or \"off\", not %q", c.Forwarded)
	}
	if c.Upgrades != nil {
		s.request.Upgrades = c.Upgrades
	}
	for _, u := range c.Upgrades {
		switch lower := strings.ToLower(u); {
		case !protocolText(u):
			b.Fault(at+".upgrades", "%q is no name of a protocol", u)
		case lower == "h2c" || strings.HasPrefix(lower, "http/"):
			b.Fault(at+".upgrades", "%q is not tunnelled: its requests would go past every stage", u)
		}
	}
}

// protocolText reports whether s may be a protocol of an Upgrade field: a name, or a name and a version, RFC 9110 §7.8.
func protocolText(s string) bool {
	name, version, versioned := strings.Cut(s, "/")
	return tokenText(name) && (!versioned || tokenText(version))
}

// Enter implements Stage.
func (s *forward) Enter(r *Request) Verdict {
	r.Forward.stage = s
	s.shared.Of(r.Shard).budget.Asked(s.share)
	r.Forward.content = r.X.ContentLength() != 0
	if err := s.ask(r, false); err != nil {
		s.failed(r, err)
	}
	if r.Answered() {
		return Done
	}
	r.Wait()
	return Wait
}

// ask begins an attempt. fresh says that only a new connection will do.
func (s *forward) ask(r *Request, fresh bool) error {
	f := &r.Forward
	f.tries++
	f.began = r.loop.Now()
	f.reported = false
	if r.Endpoint == nil {
		r.Endpoint = s.choose(r.Shard)
	}
	ep := r.Endpoint
	f.attempt = Attempt{Endpoint: ep}
	c, err := s.pools[ep.Index].Of(r.Shard).Take(r.loop, (*forwarding)(r), s.settings, fresh)
	if err != nil {
		return err
	}
	f.conn = c
	f.attempt.Reused = c.Reused()
	req := s.request
	req.Target, req.Edits = r.Target, &r.ToUpstream
	if s.own {
		req.Host = ep.Host
	}
	head, what := req.Append(c.Buffer(), r.X)
	if c.Begin(head, what) && what.Content {
		f.stream(r)
	}
	return nil
}

// choose returns an endpoint where no stage has.
func (s *forward) choose(sh *Shard) *Endpoint {
	own := s.shared.Of(sh)
	own.next++
	return s.up.Endpoints[own.next%len(s.up.Endpoints)]
}

// stream has the request's content come, once there is a connection that has taken its head: until then another may be
// asked.
func (f *ForwardPlace) stream(r *Request) {
	if !f.streaming {
		f.streaming = true
		r.Stream((*forwarding)(r))
	}
}

// failed acts on an attempt that came to nothing: another one, or an answer that says so.
func (s *forward) failed(r *Request, err error) {
	for {
		r.Forward.report(r, err, false)
		if r.Answered() {
			r.Drop(err) // in the middle of the answer: only the missing end tells
			return
		}
		if !s.again(r) {
			break
		}
		if err = s.ask(r, true); err == nil {
			return
		}
	}
	r.Forward.conn = nil
	a := failure(err)
	r.Answer(&a)
}

// again reports whether another attempt may be made, and has chosen its endpoint. What may have been done already is not
// done twice: nothing was sent, or the method promises that it does no harm (RFC 9110 §9.2.2); and no answer had begun.
func (s *forward) again(r *Request) bool {
	f := &r.Forward
	if f.tries > s.retries || f.given || f.attempt.Status != 0 {
		return false
	}
	if f.conn != nil && (f.conn.Got() || f.conn.Tried() && !idempotent(r.X.Method())) {
		return false
	}
	if !s.shared.Of(r.Shard).budget.Spend() {
		return false
	}
	f.conn = nil
	if r.Picker != nil {
		return r.Picker.Again(r) != nil
	}
	r.Endpoint = s.choose(r.Shard)
	return true
}

// idempotent reports whether a request may be made twice, RFC 9110 §9.2.2 and the registry of §16.1.
func idempotent(m httpcore.Method) bool {
	switch m {
	case httpcore.MethodGet, httpcore.MethodHead, httpcore.MethodPut, httpcore.MethodDelete, httpcore.MethodOptions,
		httpcore.MethodTrace, httpcore.MethodPropFind, httpcore.MethodReport, httpcore.MethodSearch, httpcore.MethodQuery:
		return true
	}
	return false
}

// failure is the answer to a request that no upstream has answered.
func failure(err error) Answer {
	a := text(502)
	switch {
	case errors.Is(err, upstream.ErrConnectTime), errors.Is(err, upstream.ErrHeadTime), errors.Is(err, upstream.ErrBodyTime),
		errors.Is(err, upstream.ErrWriteTime):
		a = text(504)
	case errors.Is(err, upstream.ErrFull):
		a = text(503)
		a.Fields = []byte("Retry-After: 1\r\n")
	}
	return a
}

// report tells the stages how the attempt ended.
func (f *ForwardPlace) report(r *Request, err error, gone bool) {
	if f.reported || f.attempt.Endpoint == nil {
		return
	}
	f.reported = true
	f.attempt.Err, f.attempt.Gone = err, gone
	if f.attempt.Status == 0 {
		f.attempt.Latency = r.loop.Now() - f.began
	}
	r.Attempted(&f.attempt)
}

// Leave implements Stage: what is still under way ends.
func (s *forward) Leave(r *Request, o *Outcome) {
	f := &r.Forward
	if f.conn != nil {
		f.conn.Close()
		f.conn = nil
		f.report(r, o.Err, o.Gone)
	}
	f.release(s.shared.Of(r.Shard))
}

// release gives the memory of the answer's content back.
func (f *ForwardPlace) release(own *forwardShard) {
	if f.buf != nil && cap(f.buf) == relaySize && len(own.spare) < maxSpareRelays {
		own.spare = append(own.spare, f.buf[:0])
	}
	f.buf, f.off, f.lent = nil, 0, 0
}
