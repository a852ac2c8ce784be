package httpcore

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the expected files anew from what was seen")

// wireCase is one case of testdata/wire/*.txt: after "== name", lines with ">" are what the peer sends (with \r, \n, \0 and
// \t spelled out), ">|" is its FIN, "<" is what is answered without Date, and "=" is the state in the end.
type wireCase struct {
	name, in, out, state string
	fin                  bool
}

var spelled = strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\0`, "\x00", `\t`, "\t", `\\`, `\`)
var spell = strings.NewReplacer("\r", `\r`, "\n", "\\n\n", "\x00", `\0`, "\t", `\t`, `\`, `\\`)

func readWireCases(t testing.TB, path string) (cases []wireCase) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		mark, rest, _ := strings.Cut(line, " ")
		if mark == "==" {
			cases = append(cases, wireCase{name: rest})
			continue
		}
		if len(cases) == 0 || mark == "" || mark == "#" {
			continue
		}
		c := &cases[len(cases)-1]
		switch mark {
		case ">":
			c.in += spelled.Replace(rest)
		case ">|":
			c.fin = true
		case "<":
			c.out += spelled.Replace(rest)
		case "=":
			c.state = rest
		default:
			t.Fatalf("%s: %q begins with no mark", path, line)
		}
	}
	return cases
}

func (c wireCase) String() string {
	var b strings.Builder
	b.WriteString("== " + c.name + "\n")
	side := func(mark, s string) {
		for _, line := range strings.SplitAfter(spell.Replace(s), "\n") {
			if line != "" {
				b.WriteString(mark + " " + strings.TrimSuffix(line, "\n") + "\n")
			}
		}
	}
	side(">", c.in)
	if c.fin {
		b.WriteString(">|\n")
	}
	side("<", c.out)
	b.WriteString("= " + c.state + "\n")
	return b.String()
}

// play sends the case's bytes cut at the given places.
func (c wireCase) play(t testing.TB, cuts ...int) (out, state string) {
	var r testRoutes
	m := newMemoryCore(t, r.handler(t, Limits{Head: 512, Target: 100, Fields: 8, Pipelined: 3}))
	from := 0
	for _, cut := range append(cuts, len(c.in)) {
		m.feed([]byte(c.in[from:cut]))
		from = cut
	}
	if c.fin {
		m.conn.End()
		m.turn()
	}
	out, state = undated(m.written()), m.state()
	m.end()
	return out, state
}

// TestWire plays every case whole, byte by byte, and cut in two at every place: the answers must not differ.
func TestWire(t *testing.T) {
	paths, err := filepath.Glob("testdata/wire/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases in testdata/wire: %v", err)
	}
	for _, path := range paths {
		cases := readWireCases(t, path)
		var text strings.Builder
		for _, c := range cases {
			t.Run(strings.TrimSuffix(filepath.Base(path), ".txt")+"/"+c.name, func(t *testing.T) {
				if *update {
					c.out, c.state = c.play(t)
				}
				check := func(how string, cuts ...int) {
					out, state := c.play(t, cuts...)
					if len(cuts) > 0 && state == "close" && c.state == "linger" {
						state = "linger" // what would be thrown away came after the end
					}
					if out != c.out || state != c.state {
						t.Fatalf("%s:\n%q, %s\nwant\n%q, %s", how, out, state, c.out, c.state)
					}
				}
				check("whole")
				bytewise := make([]int, len(c.in))
				for i := range c.in {
					bytewise[i] = i
					check("cut in two", i)
				}
				check("byte by byte", bytewise...)
			})
			text.WriteString(c.String() + "\n")
		}
		if *update {
			if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
