package conform

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxRepeat bounds the bytes of one {COUNT*BYTES}.
const maxRepeat = 16 << 20

// text is bytes of a case, of which parts are known only when it is played.
type text []part

// part is literal bytes, or a word in braces.
type part struct {
	bytes  string
	word   string // "path", "post", "fields", "host", or "" for bytes
	answer int    // of {N:NAME}: the answer's number, from 1
	field  string
}

// parseText reads escapes and words.
func parseText(s string) (text, error) {
	var t text
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			c, n, err := unescape(s[i:])
			if err != nil {
				return nil, err
			}
			b.WriteByte(c)
			i += n - 1
		case '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return nil, errors.New(`a { without its }; write \x7b for the byte`)
			}
			p, err := parseWord(s[i+1 : i+end])
			if err != nil {
				return nil, err
			}
			i += end
			if p.word == "" && p.answer == 0 {
				b.WriteString(p.bytes)
				continue
			}
			if b.Len() > 0 {
				t = append(t, part{bytes: b.String()})
				b.Reset()
			}
			t = append(t, p)
		default:
			b.WriteByte(s[i])
		}
	}
	if b.Len() > 0 {
		t = append(t, part{bytes: b.String()})
	}
	return t, nil
}

// unescape reads the escape at the start of s, of n bytes.
func unescape(s string) (c byte, n int, err error) {
	if len(s) > 1 {
		switch s[1] {
		case 'r':
			return '\r', 2, nil
		case 'n':
			return '\n', 2, nil
		case 't':
			return '\t', 2, nil
		case '\\':
			return '\\', 2, nil
		case 'x':
			if len(s) >= 4 {
				v, err := strconv.ParseUint(s[2:4], 16, 8)
				return byte(v), 4, err
			}
		}
	}
	return 0, 0, fmt.Errorf(`%.4q is no escape; there are \r \n \t \\ \xHH`, s)
}

// parseWord reads what stands in braces.
func parseWord(s string) (part, error) {
	switch s {
	case "path", "post", "fields", "host":
		return part{word: s}, nil
	}
	if count, bytes, found := strings.Cut(s, "*"); found {
		n, err := strconv.Atoi(count)
		if err != nil || n < 0 || n > maxRepeat/max(len(bytes), 1) {
			return part{}, fmt.Errorf("{%s}: no count, or more than %d bytes", s, maxRepeat)
		}
		repeated, err := parseText(bytes)
		if err != nil {
			return part{}, err
		}
		if len(repeated) != 1 || repeated[0].word != "" {
			return part{}, fmt.Errorf("{%s}: only bytes can be repeated", s)
		}
		return part{bytes: strings.Repeat(repeated[0].bytes, n)}, nil
	}
	if of, name, found := strings.Cut(s, ":"); found {
		n, err := strconv.Atoi(of)
		if err != nil || n < 1 || name == "" {
			return part{}, fmt.Errorf("{%s}: it is {N:NAME}, N the number of an answer", s)
		}
		return part{answer: n, field: name}, nil
	}
	return part{}, fmt.Errorf("{%s} is no word; there are path, post, fields, host, COUNT*BYTES, N:NAME", s)
}

// uses reports whether the word stands in t.
func (t text) uses(word string) bool {
	for _, p := range t {
		if p.word == word {
			return true
		}
	}
	return false
}

// render returns the bytes, with words from the server and fields from earlier answers.
func (t text) render(s *Server, answers []*Answer) (string, error) {
	var b strings.Builder
	for _, p := range t {
		switch p.word {
		case "path":
			b.WriteString(s.Path)
		case "post":
			b.WriteString(s.post())
		case "fields":
			b.WriteString(s.Fields)
		case "host":
			b.WriteString(s.host())
		default:
			b.WriteString(p.bytes)
		}
		if p.answer == 0 {
			continue
		}
		if p.answer > len(answers) {
			return "", fmt.Errorf("answer %d has not come", p.answer)
		}
		value, found := answers[p.answer-1].Field(p.field)
		if !found {
			return "", inapplicable("its answer has no " + p.field)
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

// inapplicable is why a case says nothing about a server.
type inapplicable string

func (e inapplicable) Error() string { return string(e) }
