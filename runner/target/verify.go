package target

import (
	"context"

	"corelab/results"
)

// Exchange is one request, and what its answer must be.
type Exchange struct {
	Method string            // empty means GET
	Path   string            // with the query
	Header map[string]string // Host is added when it is missing, Content-Length where there is a Body
	Body   []byte
	Expect Expect
}

// Expect is what an answer must be. Its zero value expects nothing but a well-framed answer.
type Expect struct {
	Status int               // 0: any
	Body   []byte            // compared byte for byte unless nil; an empty one expects none
	Fields map[string]string // these fields with exactly these values; names in any case
}

// Answer is a reply as it came.
type Answer struct {
	Status int
	Fields [][2]string // in order, names as sent
	Body   []byte      // chunked coding removed
	Head   []byte      // as sent, with the empty line
}

// Verify sends the request twice on one connection, byte for byte, and checks the status, the framing, that nothing
// follows the answer, the named fields and the body. A server that closes after an answer gets a second connection.
func Verify(ctx context.Context, addr string, x Exchange) (results.Wire, error) {
	return results.Wire{}, nil
}

// Reference returns the server's answer to x, for exchanges of which nothing else is known: the first answer is the
// expectation of all that follow.
func Reference(ctx context.Context, addr string, x Exchange) (Answer, error) { return Answer{}, nil }
