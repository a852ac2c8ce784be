package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// collectorTime bounds one exchange with a collector.
const collectorTime = 5 * time.Second

// maxCollected bounds what is read of a collector's answer.
const maxCollected = 1 << 20

// collector is where spans go: OTLP over HTTP, in its JSON encoding. One goroutine uses it.
type collector struct {
	addr, host, path string
	conn             net.Conn
	limit            io.LimitedReader // of conn, for one answer
	in               *bufio.Reader    // of limit
}

// parseCollector reads http://HOST:PORT/PATH.
func parseCollector(endpoint string) (*collector, error) {
	rest, found := strings.CutPrefix(endpoint, "http://")
	addr, path, _ := strings.Cut(rest, "/")
	if !found || addr == "" || strings.ContainsAny(endpoint, " \r\n") {
		return nil, fmt.Errorf("%q is no collector; write it like http://127.0.0.1:4318/v1/traces", endpoint)
	}
	c := &collector{addr: addr, host: addr, path: "/" + path}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		c.addr = net.JoinHostPort(addr, "80")
	}
	return c, nil
}

// post sends a document. A connection that was idle for long may be dead: it is tried once more on a new one.
func (c *collector) post(body []byte) error {
	old := c.conn != nil
	err := c.exchange(body)
	if err != nil && old {
		err = c.exchange(body)
	}
	return err
}

func (c *collector) exchange(body []byte) (err error) {
	if c.conn == nil {
		if c.conn, err = net.DialTimeout("tcp", c.addr, collectorTime); err != nil {
			c.conn = nil
			return fmt.Errorf("connect to the collector: %w", err)
		}
		c.limit.R = c.conn
		c.in = bufio.NewReader(&c.limit)
	}
	c.limit.N = maxCollected
	keep := false
	defer func() {
		if !keep {
			c.close()
		}
	}()
	c.conn.SetDeadline(time.Now().Add(collectorTime))
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", c.path, c.host, len(body))
	if _, err := (&net.Buffers{[]byte(head), body}).WriteTo(c.conn); err != nil {
		return fmt.Errorf("send spans: %w", err)
	}
	status, left, err := c.answer()
	if err != nil {
		return fmt.Errorf("the collector's answer: %w", err)
	}
	keep = left
	if status < 200 || status > 299 {
		return fmt.Errorf("the collector answered %d", status)
	}
	return nil
}

// answer reads an answer, and reports whether the connection may be used again: only after one of announced length.
func (c *collector) answer() (status int, keep bool, err error) {
	in := textproto.NewReader(c.in)
	line, err := in.ReadLine()
	if err != nil {
		return 0, false, err
	}
	parts := strings.SplitN(line, " ", 3)
	if len(parts) < 2 || !strings.HasPrefix(parts[0], "HTTP/1.") {
		return 0, false, fmt.Errorf("%.40q is no status line", line)
	}
	if status, err = strconv.Atoi(parts[1]); err != nil {
		return 0, false, err
	}
	head, err := in.ReadMIMEHeader()
	if err != nil {
		return status, false, err
	}
	n, err := strconv.Atoi(head.Get("Content-Length"))
	if err != nil || n < 0 || n > maxCollected || strings.EqualFold(head.Get("Connection"), "close") {
		return status, false, nil
	}
	_, err = c.in.Discard(n)
	return status, err == nil, err
}

func (c *collector) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// appendSpans appends an ExportTraceServiceRequest in OTLP's JSON encoding: ids in hexadecimal, 64-bit numbers as text.
func appendSpans(dst []byte, service string, spans []span) []byte {
	dst = append(dst, `{"resourceSpans":[{"resource":{"attributes":[`...)
	dst = appendAttribute(dst, "service.name", service)
	dst = append(dst, `]},"scopeSpans":[{"scope":{"name":"corelab/gateway"},"spans":[`...)
	for i := range spans {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = spans[i].append(dst)
	}
	return append(dst, `]}]}]}`...)
}

const (
	kindServer  = 2 // SPAN_KIND_SERVER
	statusError = 2 // STATUS_CODE_ERROR
)

func (s *span) append(dst []byte) []byte {
	dst = append(append(dst, `{"traceId":"`...), s.trace[:]...)
	dst = append(append(dst, `","spanId":"`...), s.span[:]...)
	if s.parent != ([16]byte{}) {
		dst = append(append(dst, `","parentSpanId":"`...), s.parent[:]...)
	}
	dst = append(dst, `","name":`...)
	dst = appendText(dst, strings.TrimSpace(s.method+" "+s.route))
	dst = appendInt(dst, `,"kind":`, kindServer)
	dst = appendInt(dst, `,"startTimeUnixNano":"`, s.begin)
	dst = appendInt(dst, `","endTimeUnixNano":"`, s.end)
	dst = append(dst, `","attributes":[`...)
	dst = append(appendAttribute(dst, "http.route", s.route), ',')
	dst = append(appendAttribute(dst, "http.request.method", s.method), ',')
	dst = append(appendAttribute(dst, "url.path", s.path), ',')
	if s.endpoint != "" {
		dst = append(appendAttribute(dst, "server.address", s.endpoint), ',')
	}
	dst = append(appendNumber(dst, "gateway.attempts", s.attempts), ',')
	dst = appendNumber(dst, "http.response.status_code", s.status)
	dst = append(dst, ']')
	if s.failed {
		dst = appendInt(dst, `,"status":{"code":`, statusError)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

func appendAttribute(dst []byte, key, value string) []byte {
	dst = append(append(dst, `{"key":"`...), key...)
	dst = append(dst, `","value":{"stringValue":`...)
	return append(appendText(dst, value), `}}`...)
}

func appendNumber(dst []byte, key string, n int) []byte {
	dst = append(append(dst, `{"key":"`...), key...)
	dst = appendInt(dst, `","value":{"intValue":"`, int64(n))
	return append(dst, `"}}`...)
}
