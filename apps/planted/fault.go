package planted

import "corelab/httpcore"

// textType is that of app lab, so that heads have the same length.
const textType = "text/plain; charset=utf-8"

// The answer, and what is made of it. A Conn only reads a Reply, so that all loops share them.
var (
	body    = []byte("Hello, World!")
	right   = httpcore.Reply{Type: textType, Body: body}
	wrong   = httpcore.Reply{Type: textType, Body: []byte("Hello, World?")}
	long    = httpcore.Reply{Type: textType, Body: []byte("Hello, World!!")}
	failure = httpcore.Reply{Status: 500, Type: textType, Body: []byte("planted error\n")}
)

// cutAt is how much of the body a cut answer has.
const cutAt = 7

// fault is what is wrong with an answer.
type fault uint8

const (
	faultNone fault = iota
	faultClose
	faultError
	faultShort
	faultLong
	faultWrong
	numFaults
)

// faults says how often there is each.
type faults [numFaults]int

// of returns what is wrong with answer number n, counted from 1. Where several are due the first in the order of the
// constants is made.
func (f *faults) of(n uint64) fault {
	for kind := faultClose; kind < numFaults; kind++ {
		if every := uint64(f[kind]); every > 0 && n%every == 0 {
			return kind
		}
	}
	return faultNone
}

// answerer is an Exchange, or a Held one.
type answerer interface {
	Reply(*httpcore.Reply)
	Drop()
}

// answer answers with the fault.
func (f fault) answer(to answerer) {
	switch f {
	case faultClose:
		to.Drop()
	case faultError:
		to.Reply(&failure)
	case faultShort:
		to.Reply(&httpcore.Reply{Type: textType, Source: new(cutShort), Sized: true, Len: int64(len(body))})
	case faultLong:
		to.Reply(&long)
	case faultWrong:
		to.Reply(&wrong)
	default:
		to.Reply(&right)
	}
}

// cutShort is the Source of a body that ends before its announced length.
type cutShort struct{ begun bool }

// Next returns the first bytes, and then says that there are no more.
func (c *cutShort) Next(int) ([]byte, bool) {
	if c.begun {
		return nil, true
	}
	c.begun = true
	return body[:cutAt], false
}

// Close has nothing to give back.
func (c *cutShort) Close(error) {}
