package httpcore

// Conn is one connection's state machine. A core embeds it in its own connection, calls Open, and from then on the
// methods below; Conn calls nothing of the core but Env and Loop. It may be opened again after Abort: handles of the
// earlier life are dead.
type Conn struct {
	Owner any // the core's own; Loop.Wake finds its connection by it

	head   Head
	params params
}

type statusHead struct{}

// Open makes c ready for a new connection that env's owner has accepted at now. loop is what handlers get as their Loop.
func (c *Conn) Open(env *Env, loop Loop, now int64) {}

// Move passes c to another owner, whose Env is env.
func (c *Conn) Move(env *Env) {}

// Room returns how many bytes Feed will take now; 0 means that nothing must be read.
func (c *Conn) Room() int { return 0 }

// Feed parses and dispatches what was received at now, at most Room bytes. b is borrowed for the call.
func (c *Conn) Feed(b []byte, now int64) {}

// End tells c that the peer will send no more. What it asked for before is still answered.
func (c *Conn) End() {}

// Pump goes on without new bytes: after Wrote, when Want says Again, and when the Deadline has passed.
func (c *Conn) Pump(now int64) {}

// Pending appends the segments to write to dst. A core may write fewer.
func (c *Conn) Pending(dst []Segment) []Segment { return dst }

// Wrote tells c that the first n bytes of Pending went out. n may end inside a segment.
func (c *Conn) Wrote(n int64) {}

// Abort tells c that the socket is gone, err being why; nil after Want said Close. Buffers are given back, a streamed
// body and a reply's source are aborted, and later replies do nothing.
func (c *Conn) Abort(err error) {}

// Want returns what c waits for.
func (c *Conn) Want() Interest { return 0 }

// Deadline returns the time, as Loop.Now, at which Pump must be called if nothing else has happened; 0 for none. It
// only moves later while a core does not look, so that a timer may be checked and set again when it fires.
func (c *Conn) Deadline() int64 { return 0 }

// Idle reports whether c is between requests with nothing to write, so that a draining core may close it.
func (c *Conn) Idle() bool { return false }

// Drain has c announce Connection: close with its next reply, and close after it. For a core that stops.
func (c *Conn) Drain() {}

// Body returns the whole content of a request whose route buffers it.
func (x *Exchange) Body() []byte { return nil }

// ContentLength returns the announced length of the content: 0 for none, -1 for chunked.
func (x *Exchange) ContentLength() int64 { return 0 }

// Loop returns what the core lends to wait for something else.
func (x *Exchange) Loop() Loop { return nil }

// Buffer returns memory of length n or more from the core's Buffers, for a Reply with Pooled; a buffer that goes into no
// reply is lost to the pool, not leaked.
func (x *Exchange) Buffer(n int) []byte { return nil }

// Reply answers the request. Exactly one Reply is made for each exchange; a second one panics.
func (x *Exchange) Reply(r *Reply) {}

// Hold says that the reply comes later, by the returned handle. The head and a buffered body stay readable until then;
// the connection reads no further request. Streaming exchanges that did not reply yet are held by themselves.
func (x *Exchange) Hold() Held { return Held{} }

// Handle returns a handle to the exchange without holding it, for Resume and More.
func (x *Exchange) Handle() Held { return Held{} }

// Stream sends the request's body to s. Only a Serve function of a Route with Stream may call it; without it the body is
// read and discarded.
func (x *Exchange) Stream(s Sink) {}

// Pause stops the Sink's Pieces after the current one, and so, in the end, the client, until Held.Resume.
func (x *Exchange) Pause() {}

// Held is a handle to an exchange that outlives its function. It is a value; all but Live do nothing once the exchange
// has ended, however it ended. For the owner of the connection: come back by Loop.Post from elsewhere.
type Held struct {
	c   *Conn
	gen uint32
}

// Live reports whether the exchange still waits: the client is there.
func (h Held) Live() bool { return false }

// Exchange returns the exchange, or nil if it has ended.
func (h Held) Exchange() *Exchange { return nil }

// Reply answers the held exchange.
func (h Held) Reply(r *Reply) {}

// Resume ends a Pause.
func (h Held) Resume() {}

// More says that the reply's Source has bytes again.
func (h Held) More() {}
