package gateway

import (
	"unsafe"

	"corelab/httpcore"
)

// Verdict is what a stage decided about a request.
type Verdict uint8

const (
	// Next has the following stage entered.
	Next Verdict = iota
	// Done says that the stage called Request.Answer or Request.Drop.
	Done
	// Wait says that the stage called Request.Wait, and will resume it, answer or drop later.
	Wait
)

// Stage is one step of the pipeline, as one route uses it. It belongs to a snapshot: it does not change, and all shards
// call it at once. Both methods are called by the owner of the request, and never block.
type Stage interface {
	// Enter looks at the request on its way to the upstream.
	Enter(r *Request) Verdict
	// Leave is told how it ended. It is called exactly once for each Enter.
	Leave(r *Request, o *Outcome)
}

// Waiting is a stage that may answer Wait.
type Waiting interface {
	Stage
	// Resumed goes on with a request whose Waiter was resumed. It may Wait again.
	Resumed(r *Request) Verdict
}

// Answering is a stage that looks at answers before their heads are sent.
type Answering interface {
	Stage
	// Answer may change a. It is called at most once for each Enter, in reverse order, beginning with the stage that answered
	// by itself if it is one. It is not called where the client is gone or the request dropped.
	Answer(r *Request, a *Answer)
}

// Attempting is a stage that is told of every attempt that forward makes.
type Attempting interface {
	Stage
	// Attempted is told how an attempt ended, of each stage entered, in reverse order.
	Attempted(r *Request, t *Attempt)
}

// Attempt is one try to have the request answered by an endpoint.
type Attempt struct {
	Endpoint *Endpoint
	Status   int   // of the upstream's answer; 0 if there was no head
	Err      error // why it failed; nil if the answer is whole
	Latency  int64 // ns from the attempt's begin to the answer's head, or to the failure
	Reused   bool  // on a pooled connection
	Gone     bool  // the client left first: neither success nor failure of the endpoint
}

// Tunnel reports whether the client has switched to another protocol, and may speak it for hours: what counts requests
// under way has seen the last of this one.
func (t *Attempt) Tunnel() bool { return t.Status == 101 && t.Err == nil }

// Outcome is how a request ended. It is borrowed for the call of Leave.
type Outcome struct {
	Status  int   // sent to the client, by us or by its connection; StatusGone if nothing was
	Bytes   int64 // of content handed to the connection
	Err     error // why the client got no whole answer; nil if it did
	Latency int64 // ns from the request's head to the end of the answer
	Gone    bool  // the client left, or broke the framing, before the answer's end
}

// StatusGone is the status of a request whose client left before there was an answer. It is never sent.
const StatusGone = 499

// step goes on with v as the verdict of the stage at r.at, until a stage waits or the request is done.
func (r *Request) step(v Verdict) {
	for {
		switch v {
		case Next:
			r.at++
			if r.at == len(r.Route.stages) {
				panic("gateway: the last stage of a route answers, drops or waits")
			}
			r.entered++
			v = r.Route.stages[r.at].Enter(r)
		case Done:
			if !r.answered && !r.ended {
				panic("gateway: Done without Answer or Drop")
			}
			return
		case Wait:
			if !r.waiting && !r.resumed && !r.answered && !r.ended {
				panic("gateway: Wait without Request.Wait")
			}
			return
		}
	}
}

// settle does what the callback that has just returned asked for. The stages are left while the request can still be read.
func (r *Request) settle() {
	if r.answered && !r.replied && !r.ended {
		r.reply()
	}
	if r.dropped && r.replied && !r.ended {
		r.ended = true
		r.closeSource(r.outcome.Err)
		r.leave()
		r.held.Break()
	}
	if !r.ended {
		return
	}
	r.leave()
	if r.dropped && !r.replied {
		r.held.Drop()
	}
	r.Shard.recycle(r)
}

// reply shows the answer to the stages and gives it to the connection. One without a Source is complete with that: the
// stages are left before, so that they can still read the request.
func (r *Request) reply() {
	if !r.held.Live() {
		r.fail(errGone)
		return
	}
	r.waiting, r.resumed = false, false
	for i := range r.Route.answering {
		if p := &r.Route.answering[i]; p.at <= r.at {
			p.stage.Answer(r, &r.answer)
		}
	}
	a := &r.answer
	if a.Tunnel != nil {
		r.upgrade()
		return
	}
	reply := httpcore.Reply{Status: a.Status, Type: a.Type, Body: a.Body, Pooled: a.Pooled, File: a.File, Off: a.Off,
		Len: a.Len, Sized: a.Sized, Close: a.Close, Fields: r.fieldLines()}
	r.replied = true
	r.outcome.Status = max(a.Status, 200)
	if a.Source != nil {
		reply.Source = (*outflow)(r)
	} else {
		r.outcome.Bytes = int64(len(a.Body))
		if a.File != nil {
			r.outcome.Bytes = a.Len
		}
		r.ended = true
		r.leave()
	}
	if r.serving {
		r.X.Reply(&reply)
	} else {
		r.held.Reply(&reply)
	}
}

// upgrade makes the client's connection a tunnel. What the stages would see of content, they do not see of this.
func (r *Request) upgrade() {
	r.replied = true
	r.outcome.Status = r.answer.Status
	r.sink, r.guard = r.answer.Tunnel, nil
	if r.serving {
		r.X.Upgrade(r.fieldLines(), (*inflow)(r), (*outflow)(r))
	} else {
		r.held.Upgrade(r.fieldLines(), (*inflow)(r), (*outflow)(r))
	}
}

// fieldLines returns the field lines of the answer, those of ToClient included. They lie in memory of the request, and are
// read before the connection's Reply returns.
func (r *Request) fieldLines() string {
	lines := r.answer.Fields
	if !r.ToClient.Empty() {
		r.lines = r.ToClient.Apply(r.lines[:0], lines)
		lines = r.lines
	}
	return unsafe.String(unsafe.SliceData(lines), len(lines))
}

// fail ends the request without an answer of ours.
func (r *Request) fail(err error) {
	if r.ended {
		return
	}
	r.ended, r.waiting, r.resumed = true, false, false
	o := &r.outcome
	o.Err, o.Gone = err, true
	if e, ok := err.(*httpcore.Error); ok && !r.replied {
		o.Status = e.Status // the connection answered what its client did wrong
	}
	if o.Status == 0 {
		o.Status = StatusGone
	}
}

// leave leaves the stages that were entered, the first time it is called.
func (r *Request) leave() {
	if r.entered < 0 {
		return
	}
	r.outcome.Latency = r.loop.Now() - r.Began
	for r.entered > 0 {
		r.entered--
		r.at = r.entered
		r.Route.stages[r.at].Leave(r, &r.outcome)
	}
	r.entered = -1
}
