package gateway

import "corelab/httpcore"

// Answer is what the client will get: of a stage, of the cache, or of the upstream.
type Answer struct {
	Status int    // 200 to 599, or 101
	Type   string // Content-Type of an answer of our own; empty where Fields has it
	Fields []byte // field lines, each with its CRLF, valid; without those of the connection and of framing

	// The content: at most one, as in httpcore.Reply.
	Body     []byte
	Pooled   bool
	File     httpcore.File
	Off, Len int64
	Source   httpcore.Source
	Sized    bool // Source has Len bytes

	// Tunnel takes what the client sends once Status is 101 and Fields name the protocol; Source is what it is sent.
	Tunnel httpcore.Sink

	Close bool // end the client's connection with it

	From From
}

// From says who made an answer.
type From uint8

const (
	FromGateway  From = iota // a stage refused or answered by itself
	FromUpstream             // an endpoint's, as it came
	FromCache                // an endpoint's, earlier
)

// close lets go of what an answer that is never sent holds.
func (a *Answer) close(err error) {
	if a.File != nil {
		a.File.Close() // read only
	}
	if a.Source != nil {
		a.Source.Close(err)
	}
}

// text is the answer of a stage that refuses: a status and its reason phrase.
func text(status int) Answer {
	return Answer{Status: status, Type: "text/plain; charset=utf-8", Body: []byte(httpcore.StatusText(status) + "\n")}
}
