package stacks

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A server before and after a change: it no longer asks for each connection, and writes a little more dearly.
const (
	foldedBefore = `coreserver;main.main;corelab/servers.(*sequential).Serve;accept;do_syscall_64_[k];inet_csk_accept_[k] 400
coreserver;main.main;corelab/servers.(*sequential).Serve;corelab/httpcore.(*Conn).Feed 100
coreserver;main.main;corelab/servers.(*sequential).Serve;write;do_syscall_64_[k];tcp_sendmsg_[k] 100
coreserver;main.main;corelab/servers.(*sequential).Serve;write;do_syscall_64_[k];tcp_sendmsg_[k];tcp_write_xmit_[k] 200
coreserver;runtime.mcall;runtime.schedule 200
idle 1000
`
	foldedAfter = `coreserver;main.main;corelab/servers.(*reactor).loop;corelab/httpcore.(*Conn).Feed 250
coreserver;main.main;corelab/servers.(*reactor).loop;epoll_wait_[libc.so.6];do_syscall_64_[k];do_epoll_wait_[k] 150
coreserver;main.main;corelab/servers.(*reactor).loop;write;do_syscall_64_[k];tcp_sendmsg_[k] 150
coreserver;main.main;corelab/servers.(*reactor).loop;write;do_syscall_64_[k];tcp_sendmsg_[k];tcp_write_xmit_[k] 450
idle 100
`
)

func unfold(t testing.TB, text, unit string) *Profile {
	t.Helper()
	p, err := Unfold(strings.NewReader(text), unit)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func goldenFlame(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what is drawn now; look at it in a browser, then run the test with -update", path)
	}
}

func TestFlameGoldens(t *testing.T) {
	before, after := unfold(t, foldedBefore, "nanoseconds"), unfold(t, foldedAfter, "nanoseconds")
	goldenFlame(t, "flame.svg", Flame(after, FlameOptions{
		Title: "plaintext: reactor, CPU time", Subtitle: "GET /plaintext, closed loop, 64 connections", What: "CPU time", Cost: 6120}))
	goldenFlame(t, "flamediff.svg", FlameDiff(before, after, DiffOptions{
		Title: "plaintext: sequential → reactor", BeforeName: "sequential", AfterName: "reactor", BeforeCost: 31800, AfterCost: 6120,
		BeforeSamples: 1000, AfterSamples: 1000}))
}

// element is one of the picture's, with the text in it.
type element struct {
	name  string
	attrs map[string]string
	text  string
	in    []string // the names of those around it
}

// elements decodes all of the picture, strictly.
func elements(t testing.TB, svg []byte) []*element {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(svg))
	var all, open []*element
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("the SVG is not well-formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local, attrs: map[string]string{}}
			for _, a := range token.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			for _, o := range open {
				e.in = append(e.in, o.name)
			}
			all, open = append(all, e), append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(token)
			}
		}
	}
}

// frame is what a picture says of one.
type frame struct {
	name, module, kind, value string
	shown                     bool // its name at rest
}

func frames(t testing.TB, svg []byte) (all []frame) {
	t.Helper()
	for _, e := range elements(t, svg) {
		class := strings.Fields(e.attrs["class"])
		switch {
		case e.name == "svg" && len(class) == 2 && class[0] == "f":
			all = append(all, frame{e.attrs["data-n"], e.attrs["data-m"], class[1], e.attrs["data-v"], true})
		case e.name == "text" && len(all) > 0 && len(e.in) == 3:
			f := &all[len(all)-1]
			if f.name == "" {
				f.name = e.text
			}
			f.shown = e.attrs["display"] != "none"
		}
	}
	return all
}

// words are all texts that stand around the frames.
func words(t testing.TB, svg []byte) string {
	t.Helper()
	var all []string
	for _, e := range elements(t, svg) {
		if e.name == "text" && len(e.in) <= 2 {
			all = append(all, e.text)
		}
	}
	return strings.Join(all, "\n")
}

func TestFlameMergesAndOrders(t *testing.T) {
	p := &Profile{Unit: "nanoseconds", Stacks: []Stack{
		{[]Frame{{"s", ""}, {"b", "m1"}, {"x", KernelModule}}, 5},
		{[]Frame{{"s", ""}, {"a", "m2"}}, 1},
		{[]Frame{{"s", ""}, {"b", "m1"}}, 3},
		{[]Frame{{"s", ""}, {"a", "m1"}}, 2},
		{[]Frame{{"s", ""}, {"b", "m1"}, {"x", KernelModule}}, 4},
		{[]Frame{{IdleRoot, ""}}, 30},
		{[]Frame{{"s", ""}, {"negative", ""}}, -7},
		{nil, 9},
	}}
	svg := Flame(p, FlameOptions{Title: "t"})
	var got []string
	for _, f := range frames(t, svg) {
		got = append(got, fmt.Sprintf("%s/%s=%s", f.name, f.module, f.value))
	}
	want := []string{"all/=15", "s/=15", "a/m1=2", "a/m2=1", "b/m1=12", "x/[kernel]=9"}
	if !slices.Equal(got, want) {
		t.Errorf("frames\ngot  %q\nwant %q", got, want)
	}
	if text := words(t, svg); !strings.Contains(text, "All is 15 ns of time.") || !strings.Contains(text, "Idle time, 67 % of all that was sampled, is not drawn.") {
		t.Errorf("the head does not say what is drawn and what is not:\n%s", text)
	}
}

func TestFlameIsTheSameInAnyOrder(t *testing.T) {
	p := big(500)
	want := Flame(p, FlameOptions{Title: "t"})
	other := *p
	other.Stacks = slices.Clone(p.Stacks)
	slices.Reverse(other.Stacks)
	if !bytes.Equal(Flame(&other, FlameOptions{Title: "t"}), want) {
		t.Error("the order of the stacks changes the picture")
	}
	a, b := FlameDiff(p, &other, DiffOptions{Title: "t"}), FlameDiff(&other, p, DiffOptions{Title: "t"})
	if !bytes.Equal(a, b) {
		t.Error("the order of the stacks changes the difference")
	}
}

// big is a profile of n different stacks, as deep as those of a server are.
func big(n int) *Profile {
	r := rand.New(rand.NewPCG(1, 2))
	p := &Profile{Unit: "nanoseconds"}
	for range n {
		frames := []Frame{{"coreserver", ""}}
		for depth := range 10 + r.IntN(40) {
			frames = append(frames, Frame{fmt.Sprintf("corelab/package%d.(*Type).Method%d", depth, int(r.ExpFloat64()*1.5)), "coreserver"})
		}
		v := int64(1 + r.ExpFloat64()*1e6)
		p.Stacks = append(p.Stacks, Stack{frames, v})
		p.Total += v
	}
	return p
}

func TestFlameIsSmall(t *testing.T) {
	for _, n := range []int{1000, 20000} {
		p := big(n)
		svg := Flame(p, FlameOptions{Title: "t"})
		if got := len(frames(t, svg)); got > maxFrames {
			t.Errorf("%d stacks make %d frames, more than %d", n, got, maxFrames)
		}
		if len(svg) > 250<<10 {
			t.Errorf("%d stacks make %d bytes", n, len(svg))
		}
		if !strings.Contains(words(t, svg), "which are not drawn") {
			t.Error("nothing says that frames are left out")
		}
	}
}

func TestFlameIsShallow(t *testing.T) {
	var deep []Frame
	for i := range 3 * maxDepth {
		deep = append(deep, Frame{fmt.Sprintf("f%03d", i), "m"})
	}
	svg := Flame(&Profile{Unit: "count", Stacks: []Stack{{deep, 1}}}, FlameOptions{Title: "t"})
	if got := len(frames(t, svg)); got != maxDepth+1 {
		t.Errorf("%d frames, want %d", got, maxDepth+1)
	}
}

func TestFlameSaysWhyItIsEmpty(t *testing.T) {
	for text, want := range map[string]string{"": "the profile has no samples", "idle 7\n": "the CPU was idle"} {
		p := unfold(t, text, "nanoseconds")
		if svg := Flame(p, FlameOptions{Title: "t"}); !strings.Contains(words(t, svg), want) || len(frames(t, svg)) != 0 {
			t.Errorf("a profile of %q does not say %q:\n%s", text, want, words(t, svg))
		}
		if svg := FlameDiff(p, p, DiffOptions{Title: "t"}); !strings.Contains(words(t, svg), "no samples") {
			t.Errorf("a difference of nothing does not say so:\n%s", words(t, svg))
		}
	}
}

// hostile names: what ends scripts, attributes and sections, drives terminals, and reorders lines.
var hostile = []string{
	`</script><script>alert(1)</script>`, `"><script>alert(2)</script>`, `' onload='alert(3)`, `]]>`, `<![CDATA[`, `<!--`, `&lt;&#0;&bogus;`,
	"nul\x00bell\x07esc\x1b[31m", "line\nbreak\ttab\rreturn", "right\u202eto\u2066left\u200f", "bad\xff\xfeutf8", "\ufffe\uffff", "\u2028\u2029",
	`javascript:alert(4)`, `${alert(5)}`, `{{.}}`, `%s%d`, strings.Repeat("long/", 500), "", " ",
}

func TestFlameEscapes(t *testing.T) {
	p := &Profile{Unit: hostile[1]}
	for i, name := range hostile {
		p.Stacks = append(p.Stacks, Stack{[]Frame{{"server", ""}, {name, hostile[(i+1)%len(hostile)]}}, 100})
	}
	o := strings.Join(hostile[:13], " ")
	for name, svg := range map[string][]byte{
		"Flame":     Flame(p, FlameOptions{Title: o, Subtitle: o, What: o}),
		"FlameDiff": FlameDiff(p, p, DiffOptions{Title: o, Subtitle: o, BeforeName: o, AfterName: o, BeforeCost: 1, AfterCost: 2}),
	} {
		t.Run(name, func(t *testing.T) {
			scripts := 0
			for _, e := range elements(t, svg) {
				if e.name == "script" {
					scripts++
					if e.text != script() {
						t.Errorf("a script that is not ours: %.80q", e.text)
					}
				}
				for key := range e.attrs {
					if strings.HasPrefix(key, "on") || key == "href" || key == "style" {
						t.Errorf("<%s> has the attribute %s", e.name, key)
					}
				}
				if !slices.Contains([]string{"svg", "title", "style", "rect", "text", "script"}, e.name) {
					t.Errorf("an element <%s>", e.name)
				}
			}
			if scripts != 1 {
				t.Errorf("%d scripts", scripts)
			}
			if i := bytes.IndexFunc(svg, func(r rune) bool {
				return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || strings.ContainsRune("\u202e\u2066\u200f\ufffe\uffff\u2028\u2029", r)
			}); i >= 0 {
				t.Errorf("a character that must not stand in it: %q", svg[i:min(i+8, len(svg))])
			}
			all := frames(t, svg)
			for _, f := range all {
				if len([]rune(f.name)) > maxName {
					t.Errorf("a name of %d characters", len([]rune(f.name)))
				}
			}
			if !slices.ContainsFunc(all, func(f frame) bool { return f.name == hostile[0] }) {
				t.Error("a hostile name is not shown as it is")
			}
		})
	}
}

// The script must have nothing that makes markup or code of text, and the picture nothing that asks the network.
func TestFlameAsksNothing(t *testing.T) {
	for _, never := range []string{"innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "new Function", "fetch(", "XMLHttpRequest", "import(", "prompt(", "]]>"} {
		if strings.Contains(script(), never) {
			t.Errorf("the script has %s", never)
		}
	}
	svg := string(Flame(unfold(t, foldedAfter, "nanoseconds"), FlameOptions{Title: "t"}))
	for _, never := range []string{"@import", "url(", "src=", "href="} {
		if strings.Contains(svg, never) {
			t.Errorf("the picture has %s", never)
		}
	}
	for _, address := range regexp.MustCompile(`https?://[^"' ]*`).FindAllString(svg, -1) {
		if address != "http://www.w3.org/2000/svg" && address != "http://www.w3.org/1999/xhtml" {
			t.Errorf("the picture names %s", address)
		}
	}
}

func TestFlameColoursAreLayers(t *testing.T) {
	svg := Flame(unfold(t, foldedAfter, "nanoseconds"), FlameOptions{Title: "t"})
	want := map[string]Layer{
		"corelab/httpcore.(*Conn).Feed": Parse, "do_epoll_wait": Epoll, "tcp_sendmsg": SocketSend, "tcp_write_xmit": Transmit,
	}
	for _, f := range frames(t, svg) {
		if l, known := want[f.name]; known && f.kind != layerClass(l) {
			t.Errorf("%s has the colour %s, not that of %s", f.name, f.kind, l)
		}
		delete(want, f.name)
	}
	if len(want) > 0 {
		t.Errorf("not drawn: %v", want)
	}
	if text := words(t, svg); !strings.Contains(text, string(Parse)+" 25 %") {
		t.Errorf("the legend does not say how much a layer has:\n%s", text)
	}
}

// What threads waited in is told, not that they switched, which all of them did.
func TestFlameOfWaiting(t *testing.T) {
	p := unfold(t, `coreserver;corelab/servers.(*loop).run;epoll_wait_[libc.so.6];do_syscall_64_[k];do_epoll_wait_[k];schedule_[k] 70
coreserver;runtime.findRunnable;runtime.futex;do_syscall_64_[k];__x64_sys_futex_[k];schedule_[k] 20
coreserver;schedule_[k] 10
`, "nanoseconds")
	for waiting, want := range map[bool][]string{
		true:  {"Go scheduler 20 %", "epoll 70 %", "wake-ups and context switches 10 %"},
		false: {"wake-ups and context switches 100 %"},
	} {
		text := words(t, Flame(p, FlameOptions{Title: "t", Waiting: waiting}))
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("waiting %v: the legend does not say %q:\n%s", waiting, w, text)
			}
		}
	}
}

func TestShortName(t *testing.T) {
	for name, want := range map[string]string{
		"corelab/httpcore.(*Conn).Feed": "httpcore.(*Conn).Feed", "github.com/a/b.F": "b.F", "main.main": "main.main", "": "",
		"a/b.F[go.shape.struct { c/d.T }]": "b.F[go.shape.struct { c/d.T }]", "a/b.(*T[x/y.Z]).M": "b.(*T[x/y.Z]).M", "operator/": "",
	} {
		if got := shortName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{duration(0), "0 ns"}, {duration(999), "999 ns"}, {duration(1000), "1 µs"}, {duration(6123), "6.12 µs"}, {duration(31840), "31.8 µs"},
		{duration(250e6), "250 ms"}, {duration(-1.5e9), "-1.50 s"}, {amount(512, "bytes"), "512 bytes"}, {amount(1536, "bytes"), "1.50 KiB"},
		{amount(5<<30, "bytes"), "5 GiB"}, {amount(12, "count"), "12"}, {percent(1, 3), "33 %"}, {percent(5, 100), "5 %"}, {percent(0, 9), "0 %"},
		{percent(1, 1e7), "<0.01 %"}, {number(1.0 / 3), "0.333"}, {part(0.5), "50%"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
