package httpcore

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// parseCase is one case of testdata/head/*.txt or testdata/chunked/*.txt: after "== name", an optional "limits" line,
// then the input as in a Go string, where the end of a line stands for nothing, "--", and what is expected.
type parseCase struct {
	name   string
	limits Limits
	in     []byte
	want   string
}

// readParseCases reads the cases of one file and what stands before each, so that a file can be written again.
func readParseCases(t testing.TB, path string) (cases []parseCase, before []string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var c *parseCase
	var lead strings.Builder
	expect := false
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "== "):
			cases = append(cases, parseCase{name: line[3:], limits: DefaultLimits})
			c, expect = &cases[len(cases)-1], false
			lead.WriteString(line + "\n")
		case line == "--":
			expect = true
			before = append(before, lead.String()+line+"\n")
			lead.Reset()
		case expect && line != "" && line[0] != '#':
			c.want += line + "\n"
		case line == "" || line[0] == '#':
			expect = false
			lead.WriteString(line + "\n")
		case strings.HasPrefix(line, "limits "):
			readLimits(t, line, &c.limits)
			lead.WriteString(line + "\n")
		default:
			part, err := strconv.Unquote(`"` + strings.ReplaceAll(line, `"`, `\"`) + `"`)
			if err != nil {
				t.Fatalf("%s: %s: %v", path, line, err)
			}
			c.in = append(c.in, part...)
			lead.WriteString(line + "\n")
		}
	}
	return cases, before
}

func readLimits(t testing.TB, line string, l *Limits) {
	for _, word := range strings.Fields(line)[1:] {
		name, value, _ := strings.Cut(word, "=")
		n, err := strconv.Atoi(value)
		where := map[string]*int{"head": &l.Head, "target": &l.Target, "fields": &l.Fields, "chunkline": &l.ChunkLine}[name]
		if err != nil || where == nil {
			t.Fatalf("%q is no limit", word)
		}
		*where = n
	}
}

// runParseCases holds every case of a folder against what run makes of it, cut up in every way.
func runParseCases(t *testing.T, folder string, run func(in []byte, l *Limits, cut cuts) string) {
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", folder, err)
	}
	for _, path := range files {
		cases, before := readParseCases(t, path)
		var written strings.Builder
		for i, c := range cases {
			got := run(c.in, &c.limits, nil)
			written.WriteString(before[i] + got)
			t.Run(strings.TrimSuffix(filepath.Base(path), ".txt")+"/"+c.name, func(t *testing.T) {
				if got != c.want && !*update {
					t.Errorf("whole:\n%swant:\n%s", got, c.want)
				}
				if split := run(c.in, &c.limits, everyByte(len(c.in))); split != got {
					t.Errorf("byte by byte:\n%swhole:\n%s", split, got)
				}
				for at := 1; at < len(c.in); at++ {
					if split := run(c.in, &c.limits, cuts{at}); split != got {
						t.Fatalf("split at %d:\n%swhole:\n%s", at, split, got)
					}
				}
			})
		}
		if *update {
			if err := os.WriteFile(path, []byte(written.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// cuts are the places, in rising order, where an input is cut. What follows the last comes last.
type cuts []int

func everyByte(n int) cuts {
	c := make(cuts, 0, n)
	for i := 1; i < n; i++ {
		c = append(c, i)
	}
	return c
}

// parseHead describes what becomes of a head that comes in pieces. Each call gets a copy, so that one that reads its
// older bytes finds them gone.
func parseHead(in []byte, l *Limits, cut cuts) string {
	var h Head
	var last []byte
	for _, end := range append(cut[:len(cut):len(cut)], len(in)) {
		for i := range last {
			last[i] = '!'
		}
		last = bytes.Clone(in[:end])
		n, err := h.Parse(last, l)
		if err != nil {
			describeHead(&h) // what there is of a refused head can be read
			return fmt.Sprintf("%d %s\n", err.Status, err.Reason)
		}
		if n > 0 {
			h.Rebase(bytes.Clone(in))
			return describeHead(&h) + describeRest(in[n:])
		}
	}
	describeHead(&h)
	return "more\n"
}

func describeHead(h *Head) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s HTTP/1.%d", h.Method(), h.Minor())
	if h.Method() == MethodUnknown {
		fmt.Fprintf(&b, " name=%s", h.MethodName())
	}
	part := func(name string, value []byte) {
		if value != nil {
			fmt.Fprintf(&b, " %s=%q", name, value)
		}
	}
	part("target", h.Target())
	if !bytes.Equal(h.Path(), h.Target()) {
		part("path", h.Path())
	}
	part("query", h.Query())
	part("host", h.Host())
	for _, fact := range []struct {
		name string
		is   bool
	}{
		{"asterisk", h.Asterisk()}, {"authority", h.Authority()}, {"chunked", h.Chunked()},
		{"expect-continue", h.ExpectContinue()}, {"keep-alive", h.KeepAlive()},
		{"length=" + strconv.FormatInt(h.ContentLength(), 10), h.HasLength()},
	} {
		if fact.is {
			b.WriteString(" " + fact.name)
		}
	}
	b.WriteByte('\n')
	for i := range h.NumFields() {
		name, value := h.FieldAt(i)
		fmt.Fprintf(&b, "field %s %q\n", name, value)
	}
	return b.String()
}

func describeRest(rest []byte) string {
	if len(rest) == 0 {
		return ""
	}
	return fmt.Sprintf("rest %q\n", rest)
}

func TestHeadCases(t *testing.T) { runParseCases(t, "head", parseHead) }

func TestHeadReset(t *testing.T) {
	var h Head
	in := benchHead(40)
	for range 3 {
		if n, err := h.Parse(in, &DefaultLimits); n != len(in) || err != nil {
			t.Fatalf("Parse: %d, %v", n, err)
		}
		if h.Len() != len(in) || h.NumFields() != 40 {
			t.Fatalf("%d bytes and %d fields", h.Len(), h.NumFields())
		}
		if n, err := h.Parse(in, &DefaultLimits); n != len(in) || err != nil {
			t.Fatalf("Parse of a whole head: %d, %v", n, err)
		}
		h.Reset()
		if got := describeHead(&h); got != " HTTP/1.0 name=\n" {
			t.Fatalf("something is left: %s", got)
		}
	}
	many := benchHead(maxKeptFields + 1)
	if n, err := h.Parse(many, &DefaultLimits); n == 0 || err != nil {
		t.Fatalf("Parse: %d, %v", n, err)
	}
	h.Reset()
	if cap(h.fields) > maxKeptFields {
		t.Errorf("memory for %d fields is kept", cap(h.fields))
	}
}

func TestHeadField(t *testing.T) {
	var h Head
	in := []byte("GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-one: 2\r\nX^: 3\r\nEmpty:\r\n\r\n")
	if _, err := h.Parse(in, &DefaultLimits); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		found      bool
	}{
		{"X-One", "1", true}, {"x-oNE", "1", true}, {"X^", "3", true}, {"X~", "", false}, {"empty", "", true},
		{"", "", false}, {"X-On", "", false},
	} {
		got, found := h.Field(c.name)
		if string(got) != c.want || found != c.found {
			t.Errorf("Field(%q) = %q, %v, want %q, %v", c.name, got, found, c.want, c.found)
		}
	}
}

func TestHeadAllocates(t *testing.T) {
	var h Head
	for _, in := range [][]byte{
		benchHead(40),
		[]byte("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
		[]byte("GET http://[::1]:80 HTTP/1.1\r\nHost: [::1]\r\nConnection: a, close\r\n\r\n"),
	} {
		h.Reset()
		h.Parse(in, &DefaultLimits)
		if n := testing.AllocsPerRun(10, func() {
			h.Reset()
			h.Parse(in, &DefaultLimits)
			h.Field("x-none")
		}); n != 0 {
			t.Errorf("%.0f allocations for %q", n, in[:20])
		}
	}
}

func FuzzHead(f *testing.F) {
	files, err := filepath.Glob("testdata/head/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		cases, _ := readParseCases(f, path)
		for _, c := range cases {
			f.Add(c.in, uint16(len(c.in)/3), uint16(len(c.in)/2))
		}
	}
	limits := Limits{Head: 512, Target: 64, Fields: 8}.Filled()
	f.Fuzz(func(t *testing.T, in []byte, a, b uint16) {
		whole := parseHead(in, &limits, nil)
		for _, cut := range []cuts{everyByte(len(in)), twoCuts(len(in), a, b)} {
			if split := parseHead(in, &limits, cut); split != whole {
				t.Fatalf("cut at %v:\n%swhole:\n%s", cut, split, whole)
			}
		}
	})
}

func twoCuts(n int, a, b uint16) cuts {
	if n == 0 {
		return nil
	}
	x, y := int(a)%n, int(b)%n
	return cuts{min(x, y), max(x, y)}
}
