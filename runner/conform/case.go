package conform

import (
	"slices"
	"strconv"
)

// Level is how much a rule binds, RFC 2119.
type Level string

// The levels. A server conforms when it fails no Must.
const (
	Must   Level = "MUST"
	Should Level = "SHOULD"
)

// Case is one conversation, and what must come of it. The fields that are not exported are its text's, see the package.
type Case struct {
	ID       string   `json:"id"` // FILE/NAME
	Category string   `json:"category"`
	Section  string   `json:"section"` // "RFC 9112 §6.1"
	Level    Level    `json:"level"`
	Why      string   `json:"why"`             // what the rule says, in one sentence
	Needs    []string `json:"needs,omitempty"` // features without which it is not applicable

	sent  sending
	fault fault
	steps []step
}

// sending is how the first block of a case goes out.
type sending uint8

const (
	sentWhole sending = iota
	sentBytes
	sentSplits
)

// fault is what is wrong with a message on purpose, and so what becomes of a second one behind it.
type fault uint8

const (
	faultNone      fault = iota
	faultMalformed       // it breaks the grammar
	faultMisframed       // where it ends is in doubt
)

// step is one line of a conversation.
type step struct {
	do   action
	text text   // of doSend
	want *want  // of doAnswer
	end  ending // of doEnd
}

type action uint8

const (
	doSend   action = iota
	doPause         // what follows is a write of its own
	doFin           // half-close
	doReset         // close with RST
	doAnswer        // read an answer
	doQuiet         // nothing comes
	doEnd           // judge the connection
)

// ending is what must become of the connection.
type ending uint8

const (
	endAny ending = iota
	endClose
	endServes
	endOpen
	endAlive
)

// want is what one answer must be.
type want struct {
	statuses  []string // as written
	toHead    bool     // it answers HEAD
	toOld     bool     // it answers a request of HTTP/1.0
	toAncient bool     // it answers a request of HTTP/0.9
	alone     bool     // no interim answer before it
	tests     []test
}

// test is one question to an answer.
type test struct {
	kind  testKind
	name  string // of a field
	text  text
	of    int      // of testLike: the answer's number
	names []string // of testLike
}

type testKind uint8

const (
	testBody testKind = iota
	testBodyHas
	testBodyHasNot
	testField      // its value is text
	testFieldHas   // its value contains text
	testFieldThere // any value
	testFieldNone
	testLike
)

// accepts reports whether the status is one of those wanted. echoes says that the server has a path for {post}.
func (w *want) accepts(status int, echoes bool) bool {
	return slices.ContainsFunc(w.statuses, func(s string) bool {
		switch {
		case s == "any":
			return status >= 200
		case s == "ok":
			return status/100 == 2 || !echoes && (status/100 == 3 || status == 403 || status == 404 || status == 405)
		case len(s) == 3 && s[1:] == "xx":
			return strconv.Itoa(status)[:1] == s[:1]
		}
		return strconv.Itoa(status) == s
	})
}

// interim reports whether the line names an interim status.
func (w *want) interim() bool { return w.statuses[0][0] == '1' }

// none reports whether a connection that ends without an answer will do.
func (w *want) none() bool { return slices.Contains(w.statuses, "none") }
