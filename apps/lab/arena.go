package lab

import "corelab/httpcore"

// arenaType is the bare media type of HttpArena's documentation. Its validators accept parameters too; the shorter head
// is what its entries send.
const arenaType = "text/plain"

var (
	arenaOK   = httpcore.Reply{Type: arenaType, Body: []byte("ok")}
	badNumber = badRequest("the body must be an integer")
)

// serveSum answers the sum of all integers in the query and of the integer in the body, if there is one. A value that is
// no integer of at most 18 digits counts nothing; the sum wraps around as an int64 does.
func serveSum(x *httpcore.Exchange) {
	var sum int64
	for rest := x.Query(); len(rest) > 0; {
		var value []byte
		_, value, rest = nextPair(rest)
		n, _ := parseInteger(value)
		sum += n
	}
	if body := trimSpace(x.Body()); len(body) > 0 {
		n, valid := parseInteger(body)
		if !valid {
			x.Reply(&badNumber)
			return
		}
		sum += n
	}
	replyNumber(x, sum)
}

// trimSpace returns b without the blanks and line ends around it.
func trimSpace(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// serveUpload counts the bytes of the body as they come, and answers their number. The announced length is not looked
// at: what was not received is not counted.
func serveUpload(x *httpcore.Exchange) { x.Stream(new(counter)) }

// counter is the Sink of /upload. It keeps no piece.
type counter struct{ bytes int64 }

func (c *counter) Piece(_ *httpcore.Exchange, p []byte) { c.bytes += int64(len(p)) }

func (c *counter) End(x *httpcore.Exchange) { replyNumber(x, c.bytes) }

// Abort has nothing to give back.
func (c *counter) Abort(error) {}
