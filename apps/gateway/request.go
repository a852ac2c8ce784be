package gateway

import (
	"errors"
	"time"

	"corelab/httpcore"
)

// errGone says that the exchange had ended before its answer came.
var errGone = errors.New("the client had left before there was an answer")

// errDropped says that a stage ended the connection without an answer.
var errDropped = errors.New("dropped without an answer")

// Request is a request on its way through the pipeline. It belongs to a shard, which uses it again: nobody keeps it beyond
// its Leave, and callbacks that may come later hold a [Waiter], which knows.
type Request struct {
	X     *httpcore.Exchange // the request as the client sent it, and its connection
	Shard *Shard
	Route *Route
	Began int64 // loop time of its head, ns

	// What stages leave for those behind them.
	Consumer   *Consumer // auth: who asks; nil if nobody knows
	Endpoint   *Endpoint // balance: whom to ask
	Picker     Picker    // balance: finds another one for a retry
	Target     []byte    // transform: what to ask for, in origin-form; nil: as the client wrote it
	ToUpstream Edits     // for the request's head
	ToClient   Edits     // for the answer's head

	// The places of the stages, each described in the stage's file. Only the stage writes its own.
	Routed  RoutePlace
	Observe ObservePlace
	Auth    AuthPlace
	Limit   LimitPlace
	Breaker BreakerPlace
	Cache   CachePlace
	Balance BalancePlace
	Forward ForwardPlace

	// The machine's.
	snapshot *Snapshot
	loop     httpcore.Loop
	held     httpcore.Held
	sink     httpcore.Sink
	guard    Guard       // auth: sees the content before sink
	gone     func(error) // r's, made once
	answer   Answer
	outcome  Outcome
	lines    []byte // memory for the answer's field lines
	target   []byte // memory for Target
	at       int    // the stage that has the request
	entered  int    // stages entered and not left; -1 once all are left
	gen      uint32 // of this life

	otherwise bool // no route takes it, but one would with another method

	inside   bool // a callback about this request is under way
	serving  bool // and it is Serve itself
	waiting  bool // a Waiter is out
	resumed  bool // and was resumed
	answered bool
	replied  bool // the answer's head is sent
	dropped  bool // the connection is to end
	closed   bool // the answer's Source is closed
	ended    bool // nothing more will happen
}

// Loop is what the core lends to this request's connection.
func (r *Request) Loop() httpcore.Loop { return r.loop }

// Method returns the request's method as it was sent.
func (r *Request) Method() []byte { return r.X.MethodName() }

// Snapshot is the configuration that the request began with.
func (r *Request) Snapshot() *Snapshot { return r.snapshot }

// Answer has a answer the request. What a refers to is described in the package's documentation. It is made at most once,
// and a second one, or one after Drop or after the client left, does nothing but close what a holds.
func (r *Request) Answer(a *Answer) {
	if r.answered || r.ended {
		a.close(errGone)
		return
	}
	r.answered, r.answer = true, *a
}

// Answered reports whether the request has its answer, or needs none any more.
func (r *Request) Answered() bool { return r.answered || r.ended }

// Drop ends the client's connection: without an answer, or, where the answer has begun, in the middle of it.
func (r *Request) Drop(err error) {
	if r.ended || r.dropped {
		return
	}
	if err == nil {
		err = errDropped
	}
	r.dropped = true
	if r.replied {
		r.outcome.Err = err
		return
	}
	if r.answered {
		r.answer.close(err)
	}
	r.fail(err)
	r.outcome.Gone = false
}

// Wait returns the handle by which the stage that is about to answer Wait goes on later.
func (r *Request) Wait() Waiter {
	r.waiting = true
	return Waiter{r.Shard, r, r.gen}
}

// Handle returns a Waiter for callbacks, without a promise to resume it.
func (r *Request) Handle() Waiter { return Waiter{r.Shard, r, r.gen} }

// Stream has the content of the request go to s, from its first byte on: the pieces come after the callback under way, and
// End at once if there is none. The Exchange that s is given may be paused and resumed, as in httpcore. If the content does
// not come to its end, s is told nothing: the stage is left. Only one stage may call it, once.
func (r *Request) Stream(s httpcore.Sink) {
	if r.sink != nil {
		panic("gateway: a second Stream of one request")
	}
	r.sink = s
	r.held.Resume()
}

// More says that the answer's Source has bytes again. It may be called at any time of the request's life.
func (r *Request) More() { r.held.More() }

// ResumeContent ends a Pause of the content.
func (r *Request) ResumeContent() { r.held.Resume() }

// Attempted tells the stages how an attempt of forward ended.
func (r *Request) Attempted(t *Attempt) {
	for i := range r.Route.attempting {
		if p := &r.Route.attempting[i]; p.at < r.entered {
			p.stage.Attempted(r, t)
		}
	}
}

// After has fire called on the request's loop once d has passed, with the shard held, unless the request has ended by then.
// It allocates: what every request needs is better kept with what lives longer, a connection's Deadline say.
func (r *Request) After(d time.Duration, fire func(now int64)) httpcore.Timer {
	w := r.Handle()
	return r.loop.After(d, func(now int64) {
		w.call(func() { fire(now) })
	})
}

// Enter takes the shard for a callback about this request that a core calls directly. Exit gives it back, with what Enter
// returned, and does what the callback asked for: after it r may be another request's. Both are for the owner.
func (r *Request) Enter() (outermost bool) {
	if r.inside {
		return false
	}
	r.Shard.Lock()
	r.inside = true
	return true
}

// Exit ends what Enter began.
func (r *Request) Exit(outermost bool) {
	if !outermost {
		return
	}
	s, gen := r.Shard, r.gen
	r.settle()
	if r.gen == gen {
		r.inside = false
	}
	s.Unlock()
}

// Waiter is a handle to a request that outlives the callback in which it was made. All but Post are for code that holds the
// request's shard.
type Waiter struct {
	s   *Shard
	r   *Request
	gen uint32
}

// Live reports whether the request has not ended.
func (w Waiter) Live() bool { return w.r != nil && w.r.gen == w.gen && !w.r.ended }

// Request returns the request, or nil if it has ended. On a shared shard only a callback of the request's own loop may do
// more with it than read.
func (w Waiter) Request() *Request {
	if !w.Live() {
		return nil
	}
	return w.r
}

// Resume has the stage that waits go on: its Resumed is called when the callback under way has ended, on the request's own
// loop. Any request's callback of the shard may call it. A second one, or one for a request that has ended, does nothing.
func (w Waiter) Resume() {
	r := w.r
	if !w.Live() || !r.waiting {
		return
	}
	r.waiting, r.resumed = false, true
	if s := r.Shard; !s.Shared || r.inside {
		s.resumed = append(s.resumed, w)
		return
	}
	r.loop.Post(func() { w.call(func() { w.arrive() }) })
}

// Post has fire called on the request's loop, with the shard held, unless the request has ended by then. It is for
// goroutines that do something for the request; they may call nothing else.
func (w Waiter) Post(loop httpcore.Loop, fire func(r *Request)) {
	loop.Post(func() { w.call(func() { fire(w.r) }) })
}

// call runs fire about a live request, as the outermost callback of the request's loop.
func (w Waiter) call(fire func()) {
	s := w.s
	s.Lock()
	if w.Live() {
		w.r.inside = true
		fire()
		w.r.settle()
		if w.r.gen == w.gen {
			w.r.inside = false
		}
	}
	s.Unlock()
}

// arrive gives a resumed request to its stage.
func (w Waiter) arrive() {
	r := w.r
	if !w.Live() || !r.resumed {
		return
	}
	r.resumed = false
	r.step(r.Route.stages[r.at].(Waiting).Resumed(r))
}

// Guard sees the content of a request before it goes to whom [Request.Stream] named.
type Guard interface {
	// Piece is called for each piece. If it is false, the piece goes no further, and the request was answered or dropped.
	Piece(r *Request, p []byte) bool
	// End is called at the end, and says the same.
	End(r *Request) bool
}

// inflow is a Request as the Sink of its own content.
type inflow Request

// Piece implements httpcore.Sink.
func (f *inflow) Piece(x *httpcore.Exchange, p []byte) {
	r := (*Request)(f)
	in := r.Enter()
	if r.sink != nil && !r.ended && (r.guard == nil || r.guard.Piece(r, p)) {
		r.sink.Piece(x, p)
	}
	r.Exit(in)
}

// End implements httpcore.Sink. The exchange was held at the head.
func (f *inflow) End(x *httpcore.Exchange) {
	r := (*Request)(f)
	in := r.Enter()
	if r.sink != nil && !r.ended && (r.guard == nil || r.guard.End(r)) {
		r.sink.End(x)
	}
	r.Exit(in)
}

// Abort implements httpcore.Sink. Who waits is told by OnAbort, who has answered by the Source's Close: here r may be
// another's already.
func (f *inflow) Abort(error) {}

// aborted is what the connection calls when the client is gone before the answer's head.
func (r *Request) aborted(err error) {
	in := r.Enter()
	if r.answered && !r.replied && !r.ended {
		r.answer.close(err)
	}
	r.fail(err)
	r.Exit(in)
}

// outflow is a Request as the Source of its own answer.
type outflow Request

// Next implements httpcore.Source.
func (f *outflow) Next(most int) (p []byte, done bool) {
	r := (*Request)(f)
	in := r.Enter()
	if !r.dropped {
		p, done = r.answer.Source.Next(most)
		r.outcome.Bytes += int64(len(p))
	}
	if r.dropped {
		p, done = nil, false
	}
	r.Exit(in)
	return p, done
}

// Close implements httpcore.Source.
func (f *outflow) Close(err error) {
	r := (*Request)(f)
	if r.closed {
		return
	}
	in := r.Enter()
	r.closeSource(err)
	if err == nil {
		r.ended = true
		r.X.Discard()
	} else {
		r.fail(err)
	}
	r.leave()
	r.Exit(in)
}

// closeSource closes the answer's Source.
func (r *Request) closeSource(err error) {
	r.closed = true
	r.answer.Source.Close(err)
}
