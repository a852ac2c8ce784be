package wire

import (
	"bytes"
	"strconv"
	"strings"
	"unsafe"

	"corelab/peers/routes"
)

// MaxHead bounds the request line and the fields.
const MaxHead = 64 << 10

// Request is one as it was read.
type Request struct {
	routes.Request      // borrowed from the bytes that were read
	Close          bool // the connection ends with its answer
}

// Malformed is a request that cannot be read on; the value is the status of its answer, after which the connection ends.
type Malformed int

func (m Malformed) Error() string { return "malformed request: answer " + strconv.Itoa(int(m)) }

// Read reads the first request of b, and returns how many bytes it has, 0 when more must come. What r is given is borrowed
// from b.
func Read(b []byte, r *Request) (n int, err error) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return 0, tooLong(b)
	}
	minor, err := r.line(b[:end])
	if err != nil {
		return 0, err
	}
	r.Close, r.Type = minor == '0', ""
	length := 0
	for at := end + 1; ; {
		width := bytes.IndexByte(b[at:], '\n')
		if width < 0 {
			return 0, tooLong(b)
		}
		line := b[at : at+width]
		at += width + 1
		if len(line) == 1 && line[0] == '\r' {
			return r.body(b, at, length)
		}
		if err := r.field(line, &length); err != nil {
			return 0, err
		}
	}
}

func tooLong(b []byte) error {
	if len(b) > MaxHead {
		return Malformed(431)
	}
	return nil
}

// line reads "METHOD target HTTP/1.x\r", RFC 9112 §3.
func (r *Request) line(b []byte) (minor byte, err error) {
	const version = " HTTP/1.1\r"
	first := bytes.IndexByte(b, ' ')
	last := len(b) - len(version)
	if first <= 0 || last <= first+1 || string(b[last:len(b)-2]) != version[:len(version)-2] || b[len(b)-1] != '\r' {
		return 0, Malformed(400)
	}
	minor = b[len(b)-2]
	target := b[first+1 : last]
	if target[0] != '/' || bytes.IndexByte(target, ' ') >= 0 || minor != '0' && minor != '1' {
		return 0, Malformed(400)
	}
	if query := bytes.IndexByte(target, '?'); query >= 0 {
		target = target[:query]
	}
	r.Method, r.Path = borrow(b[:first]), borrow(target)
	return minor, nil
}

// field reads "Name: value\r". Most fields end here at the length of their name.
func (r *Request) field(b []byte, length *int) error {
	colon := bytes.IndexByte(b, ':')
	if colon <= 0 || b[len(b)-1] != '\r' || b[colon-1] == ' ' {
		return Malformed(400)
	}
	name := borrow(b[:colon])
	switch colon {
	case len("Connection"):
		if strings.EqualFold(name, "Connection") {
			switch value := value(b, colon); {
			case strings.EqualFold(value, "close"):
				r.Close = true
			case strings.EqualFold(value, "keep-alive"):
				r.Close = false
			}
		}
	case len("Content-Type"):
		if strings.EqualFold(name, "Content-Type") {
			r.Type = value(b, colon)
		}
	case len("Content-Length"):
		if strings.EqualFold(name, "Content-Length") {
			n, err := strconv.ParseUint(value(b, colon), 10, 31)
			if err != nil {
				return Malformed(400)
			}
			if n > routes.MaxBody {
				return Malformed(413)
			}
			*length = int(n)
		}
	case len("Transfer-Encoding"):
		if strings.EqualFold(name, "Transfer-Encoding") {
			return Malformed(501)
		}
	}
	return nil
}

func value(line []byte, colon int) string {
	return strings.Trim(borrow(line[colon+1:len(line)-1]), " \t")
}

// body takes the body, which begins at the byte at, once it is whole.
func (r *Request) body(b []byte, at, length int) (int, error) {
	if len(b)-at < length {
		return 0, nil
	}
	r.Body = b[at : at+length]
	return at + length, nil
}

// borrow is b as a string, for as long as b is not changed.
func borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
