package servers

import (
	"bytes"
	"fmt"

	"golang.org/x/sys/unix"

	"corelab/httpcore"
)

// rawCore is the limit of what a core can reach: it does what reactor does but for HTTP.
var rawCore = Core{
	Name:  "raw",
	Doc:   "counts empty lines and answers canned bytes: reactor without HTTP, the limit that the others are measured against",
	Procs: besideLoops,
	Lacks: []Lack{
		{Parsing, "it looks for CRLF CRLF alone: whatever is asked, the answer is Hello, World!, and a body is taken for a request"},
		{Timeouts, "a connection that says nothing stays open"},
		{Holding, "it has no handlers"},
		{Sendfile, "it has no files"},
	},
	New: func(cfg Config, h *httpcore.Handler) (Server, error) {
		cfg = cfg.Filled()
		return newLoops(cfg, cfg.Workers, epollLoop(cfg, h, func() protocol { return &cannedProtocol{server: h.Server} }))
	},
}

const (
	// cannedBatch is how many answers one write holds at the most.
	cannedBatch = 64
	// cannedOwed bounds the bytes of answers owed to a connection, above which it is not read.
	cannedOwed = 256 << 10
)

// cannedProtocol answers each CRLF CRLF with the same bytes. It belongs to one loop.
type cannedProtocol struct {
	server string
	date   *httpcore.Date // of the answers in batch
	answer int            // length of one
	batch  []byte         // cannedBatch answers
}

// cannedState is what a connection remembers between turns.
type cannedState struct {
	matched uint8 // bytes of CRLF CRLF seen at the end of what came
	owed    int   // bytes of answers not yet written
}

// refresh makes the answers anew when the Date has changed. Their length never does.
func (p *cannedProtocol) refresh(date *httpcore.Date) {
	if p.date == date {
		return
	}
	p.date = date
	server := ""
	if p.server != "" {
		server = "Server: " + p.server + "\r\n"
	}
	const body = "Hello, World!"
	one := fmt.Sprintf("HTTP/1.1 200 OK\r\n%sDate: %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s", server, date[:], len(body), body)
	p.answer = len(one)
	p.batch = bytes.Repeat([]byte(one), cannedBatch)
}

func (p *cannedProtocol) open(l *loop, c *loopConn) {}

func (p *cannedProtocol) take(l *loop, c *loopConn) bool {
	p.refresh(l.env.Date)
	s := &c.canned
	if c.readable && !c.ended && s.owed < cannedOwed {
		b, errno := l.hands.receive(&c.stream, inputSize)
		if errno != 0 {
			l.drop(c, errno)
			return false
		}
		n := countHeads(b, &s.matched)
		s.owed += n * p.answer
		l.env.Count.Requests += uint64(n)
	}
	return true
}

func (p *cannedProtocol) give(l *loop, c *loopConn) {
	s := &c.canned
	for written := 0; s.owed > 0 && !c.blocked; {
		if written >= turnBytes {
			l.queue(c)
			return
		}
		from := (p.answer - s.owed%p.answer) % p.answer // where an answer was cut by a short write
		n, errno := sendNow(int(c.fd), p.batch[from:min(from+s.owed, len(p.batch))], 0)
		if errno == unix.EAGAIN {
			l.hands.full(&c.stream)
			break
		}
		if errno != 0 {
			l.drop(c, errno)
			return
		}
		s.owed -= n
		written += n
	}
	switch {
	case s.owed == 0 && (c.ended || l.late && !c.readable):
		l.drop(c, nil)
	case c.readable && s.owed < cannedOwed:
		l.queue(c)
	}
}

func (p *cannedProtocol) expired(*loop, *loopConn) {}

func (p *cannedProtocol) drain(*loopConn) {}

func (p *cannedProtocol) spent(c *loopConn) bool { return c.canned.owed == 0 }

func (p *cannedProtocol) abort(*loopConn, error) {}

// countHeads counts the CRLF CRLF in b, the first of which may have begun before it.
func countHeads(b []byte, matched *uint8) int {
	const end = "\r\n\r\n"
	n, m := 0, *matched
	for len(b) > 0 {
		if m == 0 {
			// Between requests and within lines: jump to the next line's end.
			i := bytes.IndexByte(b, '\r')
			if i < 0 {
				break
			}
			b = b[i+1:]
			m = 1
			continue
		}
		switch b[0] {
		case end[m]:
			m++
		case '\r':
			m = 1
		default:
			m = 0
		}
		b = b[1:]
		if m == 4 {
			n++
			m = 0
		}
	}
	*matched = m
	return n
}
