package stacks_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"corelab/results/browsertest"
	"corelab/results/stacks"
)

const (
	inBrowserBefore = `coreserver;main.main;corelab/servers.(*sequential).Serve;accept4;do_syscall_64_[k];inet_csk_accept_[k] 400
coreserver;main.main;corelab/servers.(*sequential).Serve;corelab/httpcore.(*Conn).Feed 100
coreserver;main.main;corelab/servers.(*sequential).Serve;write;do_syscall_64_[k];tcp_sendmsg_[k];tcp_write_xmit_[k] 300
coreserver;runtime.mcall;runtime.schedule 200
`
	inBrowserAfter = `coreserver;main.main;corelab/servers.(*reactor).loop;corelab/httpcore.(*Conn).Feed 250
coreserver;main.main;corelab/servers.(*reactor).loop;epoll_wait_[libc.so.6];do_syscall_64_[k];do_epoll_wait_[k] 150
coreserver;main.main;corelab/servers.(*reactor).loop;write;do_syscall_64_[k];tcp_sendmsg_[k] 200
coreserver;main.main;corelab/servers.(*reactor).loop;write;do_syscall_64_[k];tcp_sendmsg_[k];tcp_write_xmit_[k] 399
coreserver;main.main;corelab/servers.(*reactor).loop;</script><script>document.title="owned"</script> 1
idle 300
`
)

func unfolded(t *testing.T, text string) *stacks.Profile {
	t.Helper()
	p, err := stacks.Unfold(strings.NewReader(text), "nanoseconds")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// page is a document in the browser.
type page struct {
	t   *testing.T
	ctx context.Context
}

func (p page) run(steps ...browsertest.Action) {
	p.t.Helper()
	browsertest.Do(p.t, p.ctx, steps...)
}

// open shows b as a file of that name, in a window of that size, once it is drawn.
func (p page) open(name string, b []byte, width, height int64, scheme string) {
	p.t.Helper()
	path := filepath.Join(p.t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o666); err != nil {
		p.t.Fatal(err)
	}
	p.run(browsertest.Size(width, height), browsertest.Scheme(scheme), chromedp.Navigate(browsertest.File(p.t, path)))
	p.settle()
}

func (p page) settle() {
	p.t.Helper()
	browsertest.Settle(p.t, p.ctx)
}

func value[T any](p page, script string) T {
	p.t.Helper()
	return browsertest.Value[T](p.t, p.ctx, script)
}

// box is where an element stands in the window.
type box struct{ X, Y, Width, Height float64 }

func (b box) right() float64  { return b.X + b.Width }
func (b box) bottom() float64 { return b.Y + b.Height }

// side is the margin left and right of the frames.
const side = 8.0

const frameOf = `const frameOf = (name) => [...document.querySelectorAll(".f")].find(e => e.getAttribute("aria-label").startsWith(name + ","));`

// frame is where the first frame of that name stands; without a width where it is hidden.
func (p page) frame(name string) box {
	p.t.Helper()
	b := value[*box](p, `(() => { `+frameOf+` const e = frameOf(`+fmt.Sprintf("%q", name)+`); if (!e) return null;
		const r = e.querySelector("rect").getBoundingClientRect(); return {X: r.x, Y: r.y, Width: r.width, Height: r.height} })()`)
	if b == nil {
		p.t.Fatalf("no frame is called %s", name)
	}
	return *b
}

func (p page) click(name string) {
	p.t.Helper()
	b := p.frame(name)
	p.run(chromedp.MouseClickXY(b.X+b.Width/2, b.Y+b.Height/2))
	p.settle()
}

func (p page) keys(keys string, modifiers ...kb.Modifier) {
	p.t.Helper()
	p.run(chromedp.KeyEvent(keys, chromedp.KeyModifiers(modifiers...)))
	p.settle()
}

// press presses a key as people do: whoever takes the key keeps its letter from being typed.
func (p page) press(key string) {
	p.t.Helper()
	p.run(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: key, Text: key})
		return err
	}))
	p.settle()
}

// focused is the label of what the keyboard is at.
func (p page) focused() string {
	p.t.Helper()
	return value[string](p, `document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent ?? ""`)
}

func (p page) near(what string, got, want float64) {
	p.t.Helper()
	if got < want-2 || got > want+2 {
		p.t.Errorf("%s is %.1f pixels, want %.1f", what, got, want)
	}
}

func TestFlameInABrowser(t *testing.T) {
	ctx, done := browsertest.Open(t)
	defer done()
	svg := stacks.Flame(unfolded(t, inBrowserAfter), stacks.FlameOptions{Title: "plaintext: reactor, CPU time",
		Subtitle: "GET /plaintext, closed loop, 64 connections; cpu-clock at 999 samples a second and CPU over 4s: 3,912 samples", What: "CPU time", Cost: 6120})
	diff := stacks.FlameDiff(unfolded(t, inBrowserBefore), unfolded(t, inBrowserAfter), stacks.DiffOptions{Title: "plaintext: sequential → reactor",
		BeforeName: "sequential", AfterName: "reactor", BeforeCost: 31800, AfterCost: 6120, BeforeSamples: 2000, AfterSamples: 1800})
	each := func(name string, test func(p page)) {
		t.Run(name, func(t *testing.T) { test(page{t, ctx}) })
	}
	each("zoom", func(p page) { testZoom(p, svg) })
	each("search", func(p page) { testSearch(p, svg) })
	each("keyboard", func(p page) { testKeyboard(p, svg) })
	each("legend", func(p page) { testLegend(p, svg) })
	each("width", func(p page) { testWidth(p, svg) })
	each("hostile", func(p page) { testHostile(p, svg) })
	each("difference", func(p page) { testDifference(p, diff) })
	each("embedded", func(p page) { testEmbedded(p, svg, diff) })
	each("policy", func(p page) { testPolicy(p, svg) })
	each("look", func(p page) { testLook(p, svg, diff) })
}

func testZoom(p page, svg []byte) {
	p.open("flame.svg", svg, 1200, 800, "light")
	all, write := p.frame("all"), p.frame("write")
	p.near("write", write.Width, 0.599*all.Width)
	p.click("write")
	p.near("write, zoomed", p.frame("write").Width, all.Width)
	p.near("what it calls", p.frame("tcp_write_xmit").Width, 399.0/599*all.Width)
	p.near("the root above it", p.frame("all").Width, all.Width)
	if b := p.frame("epoll_wait"); b.Width != 0 {
		p.t.Errorf("what stands beside it is %.1f pixels wide", b.Width)
	}
	if !value[bool](p, `(() => { `+frameOf+` return frameOf("main.main").classList.contains("above") && !frameOf("write").classList.contains("above") })()`) {
		p.t.Error("the frames above are not dimmed, or the frame itself is")
	}
	if told := value[string](p, `document.querySelector(".told").textContent`); !strings.Contains(told, "write · 59.90 % of the CPU time · 3.67 µs a request") {
		p.t.Errorf("told: %s", told)
	}
	p.click("main.main")
	p.near("main.main, zoomed out to", p.frame("main.main").Width, all.Width)
	p.near("write below it", p.frame("write").Width, write.Width)
	p.click("write")
	p.run(chromedp.Click(chromedp.CSS(".tools button")))
	p.settle()
	p.near("write after reset", p.frame("write").Width, write.Width)
	if !value[bool](p, `document.querySelector(".tools button").disabled`) {
		p.t.Error("there is something to reset after a reset")
	}
}

func testSearch(p page, svg []byte) {
	p.open("flame.svg", svg, 1200, 800, "light")
	hits := func() string { return value[string](p, `document.querySelector(".hits").textContent`) }
	marked := func() int { return value[int](p, `document.querySelectorAll(".f.hit").length`) }
	search := func(query string) {
		p.run(chromedp.Evaluate[chromedp.Void](`document.querySelector(".tools input").value = ""`), chromedp.SendKeys(chromedp.CSS(".tools input"), query))
		p.settle()
	}
	for _, c := range []struct {
		query, share string
		frames       int
	}{
		{"tcp_", "59.90 %", 2}, {"^tcp_w", "39.90 %", 1}, {"(*Conn).Feed", "25.00 %", 1}, {"FEED|epoll_wait$", "40.00 %", 3},
		{"libc", "15.00 %", 1}, {"[kernel]", "74.90 %", 5}, {"nowhere", "nothing matches", 0}, {"[", "", 5},
	} {
		search(c.query)
		if got := hits(); !strings.Contains(got, c.share) || marked() != c.frames {
			p.t.Errorf("%s: %d frames are marked, %q; want %d, %s", c.query, marked(), got, c.frames, c.share)
		}
	}
	p.keys(kb.Escape)
	if marked() != 0 || hits() != "" || value[string](p, `document.querySelector(".tools input").value`) != "" {
		p.t.Errorf("Escape leaves %d frames marked, %q", marked(), hits())
	}
}

func testKeyboard(p page, svg []byte) {
	p.open("flame.svg", svg, 1200, 800, "light")
	p.press("/")
	if got := p.focused(); !strings.HasPrefix(got, "Search") {
		p.t.Errorf("/ leads to %q", got)
	}
	p.keys("a/b")
	if got := value[string](p, `document.querySelector(".tools input").value`); got != "a/b" {
		p.t.Errorf("typed a/b, there is %q", got)
	}
	p.keys(kb.Escape)
	p.run(chromedp.Evaluate[chromedp.Void](`document.activeElement.blur()`))
	p.keys("f", kb.ModifierCtrl)
	if got := p.focused(); !strings.HasPrefix(got, "Search") {
		p.t.Errorf("Ctrl-F leads to %q", got)
	}
	p.run(chromedp.Evaluate[chromedp.Void](`document.activeElement.blur()`))
	for range 40 {
		if p.keys(kb.Tab); strings.HasPrefix(p.focused(), "all,") {
			break
		}
	}
	for _, step := range []struct{ key, want string }{
		{"", "all,"}, {kb.ArrowDown, "coreserver,"}, {kb.ArrowDown, "main.main,"}, {kb.ArrowDown, "corelab/servers.(*reactor).loop,"},
		{kb.ArrowDown, "write,"}, {kb.ArrowLeft, "epoll_wait,"}, {kb.ArrowLeft, "corelab/httpcore.(*Conn).Feed,"}, {kb.ArrowRight, "epoll_wait,"},
		{kb.ArrowRight, "write,"}, {kb.ArrowRight, "write,"}, {kb.ArrowUp, "corelab/servers.(*reactor).loop,"}, {kb.Home, "all,"},
		{kb.ArrowUp, "all,"},
	} {
		if step.key != "" {
			p.keys(step.key)
		}
		if got := p.focused(); !strings.HasPrefix(got, step.want) {
			p.t.Fatalf("the keyboard is at %q, want %q", got, step.want)
		}
	}
	all := p.frame("all").Width
	for _, key := range []string{kb.ArrowDown, kb.ArrowDown, kb.ArrowDown, kb.ArrowDown, kb.Enter} {
		p.keys(key)
	}
	p.near("write, zoomed by Enter", p.frame("write").Width, all)
	p.keys(kb.Escape)
	p.near("write after Escape", p.frame("write").Width, 0.599*all)
	if got := p.focused(); !strings.HasPrefix(got, "write,") {
		p.t.Errorf("Escape moves the keyboard to %q", got)
	}
}

func testLegend(p page, svg []byte) {
	p.open("flame.svg", svg, 1200, 800, "light")
	key := `.key[data-name="` + string(stacks.Parse) + `"]`
	p.run(chromedp.Click(chromedp.CSS(key)))
	p.settle()
	if got := value[string](p, `[...document.querySelectorAll(".f.hit")].map(e => e.getAttribute("aria-label").split(",")[0]).join()`); got != "corelab/httpcore.(*Conn).Feed" {
		p.t.Errorf("the key of parse marks %q", got)
	}
	if got := value[string](p, `document.querySelector(".hits").textContent`); got != "marked: parse 25 %" {
		p.t.Errorf("says %q", got)
	}
	p.keys(kb.Enter) // the key has the focus: pressed again it lets go
	if n := value[int](p, `document.querySelectorAll(".f.hit, .key[aria-pressed=true]").length`); n != 0 {
		p.t.Errorf("%d stay marked", n)
	}
}

// At no width may texts run out of the picture or over each other.
func testWidth(p page, svg []byte) {
	p.open("flame.svg", svg, 1200, 800, "light")
	for _, width := range []int64{1600, 700, 360, 320, 1200} {
		p.run(browsertest.Size(width, 800))
		p.settle()
		p.near("the root", p.frame("all").Width, float64(width)-2*side)
		p.near("write", p.frame("write").Width, 0.599*(float64(width)-2*side))
		if out := value[[]string](p, `[...document.querySelectorAll("text, .tools, .told")].filter(e => {
			const r = e.getBoundingClientRect(), clip = e.closest(".f")?.getBoundingClientRect();
			return r.width > 0 && (r.left < -1 || r.right > innerWidth + 1 || clip && r.right > clip.right + 1) }).map(e => e.textContent)`); len(out) > 0 {
			p.t.Errorf("at %d pixels, texts run out: %q", width, out)
		}
		boxes := value[[]box](p, `[...document.querySelectorAll(".title tspan, .line tspan, .key > text, .bar, .f > rect")].map(e => {
			const r = e.getBoundingClientRect(); return {X: r.x, Y: r.y, Width: r.width, Height: r.height} })`)
		for i, a := range boxes {
			for _, b := range boxes[:i] {
				if a.X < b.right()-3 && b.X < a.right()-3 && a.Y < b.bottom()-4 && b.Y < a.bottom()-4 {
					p.t.Errorf("at %d pixels, %v is over %v", width, a, b)
				}
			}
		}
	}
}

func testHostile(p page, svg []byte) {
	p.open("flame.svg", svg, 1200, 800, "light")
	if got := value[string](p, `document.title`); got != "plaintext: reactor, CPU time" {
		p.t.Errorf("the title is %q", got)
	}
	if n := value[int](p, `document.querySelectorAll("script").length`); n != 1 {
		p.t.Errorf("there are %d scripts", n)
	}
	name := `</script><script>document.title="owned"</script>`
	p.run(chromedp.SendKeys(chromedp.CSS(".tools input"), "owned"))
	p.click("corelab/servers.(*reactor).loop")
	b := p.frame(name)
	p.run(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, b.X+b.Width/2, b.Y+b.Height/2))
	p.settle()
	if got := value[string](p, `document.querySelector(".told b").textContent`); got != name {
		p.t.Errorf("told: %q", got)
	}
	if got := value[string](p, `document.title`); got == "owned" {
		p.t.Error("a name became a script")
	}
}

func testDifference(p page, svg []byte) {
	p.open("flamediff.svg", svg, 1200, 900, "light")
	labels := value[[]string](p, `[...document.querySelectorAll(".f")].map(e => e.getAttribute("aria-label"))`)
	for _, want := range []string{
		"inet_csk_accept, 40.00 % of the CPU time, 12.7 µs a request, only before, 12.7 µs of it not in functions that both have, [kernel]",
		"do_epoll_wait, 15.00 % of the CPU time, 918 ns a request, only after, 918 ns of it not in functions that both have, [kernel]",
		"corelab/httpcore.(*Conn).Feed, 25.00 % of the CPU time, 1.53 µs a request, in all places 3.18 µs → 1.53 µs, −1.65 µs, coreserver",
	} {
		found := false
		for _, l := range labels {
			found = found || l == want
		}
		if !found {
			p.t.Errorf("nothing says %q:\n%s", want, strings.Join(labels, "\n"))
		}
	}
	p.run(chromedp.SendKeys(chromedp.CSS(".tools input"), "tcp_write_xmit"))
	p.settle()
	if got := value[string](p, `document.querySelector(".hits").textContent`); !strings.Contains(got, "after 39.90 %, before 30.00 %") {
		p.t.Errorf("the search says %q", got)
	}
	p.click("inet_csk_accept")
	p.near("what is gone, zoomed", p.frame("inet_csk_accept").Width, 1200-2*side)
	p.near("the other graph", p.frame("do_epoll_wait").Width, 0.15*(1200-2*side))
}

// In a page they are several, inline, in an object, and as images, and disturb neither each other nor the page.
func testEmbedded(p page, svg, diff []byte) {
	data := func(b []byte) string { return "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(b) }
	html := fmt.Sprintf(`<!doctype html><meta charset="utf-8"><title>page</title><body style="margin:0"><button id="page">page</button>%s%s
		<object id="object" type="image/svg+xml" data="%s" width="800" height="400"></object><img id="image" src="%s" alt="" width="800">`,
		svg, diff, data(svg), data(svg))
	p.open("page.html", []byte(html), 1000, 800, "light")
	p.run(chromedp.Poll[chromedp.Void](`document.getElementById("image").complete`))
	if n := value[int](p, `document.querySelectorAll("svg.corelab-flame.live").length`); n != 2 {
		p.t.Errorf("%d of two graphs in the page came to life", n)
	}
	p.near("the first", p.frame("all").Width, 1000-2*side)
	p.click("write")
	p.near("write, zoomed", p.frame("write").Width, 1000-2*side)
	p.near("the other graph", value[float64](p, `document.querySelectorAll("svg.corelab-flame")[1].querySelector(".f").getBoundingClientRect().width`), 1000-2*side)
	p.run(chromedp.Focus(chromedp.CSS("#page")))
	p.press("/")
	if got := p.focused(); got != "page" {
		p.t.Errorf("a key in the page leads into a graph: %q", got)
	}
	if w := value[float64](p, `document.getElementById("image").naturalWidth`); w < 600 {
		p.t.Errorf("the image is %v pixels wide by itself", w)
	}
	p.run(chromedp.Evaluate[chromedp.Void](`document.getElementById("object").scrollIntoView()`))
	p.settle()
	browsertest.Screenshot(p.t, p.ctx, "flame-embedded")
}

// A server that hands them out under FlamePolicy lets them live, and nothing else.
func testPolicy(p page, svg []byte) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/flame.svg" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "image/svg+xml")
		w.Header().Set("Content-Security-Policy", stacks.FlamePolicy())
		w.Write(svg)
	}))
	defer s.Close()
	p.run(browsertest.Size(1200, 800), chromedp.Navigate(s.URL+"/flame.svg"))
	p.settle()
	p.near("the root", p.frame("all").Width, 1200-2*side)
	if got := value[string](p, `getComputedStyle(document.querySelector(".title")).fontWeight`); got != "700" {
		p.t.Errorf("the style is not there: the title's weight is %s", got)
	}
	p.run(chromedp.Navigate("about:blank"))
}

// Pictures for people to look at.
func testLook(p page, svg, diff []byte) {
	for _, c := range []struct {
		name          string
		svg           []byte
		width, height int64
		scheme        string
	}{
		{"flame-light", svg, 1200, 420, "light"}, {"flame-dark", svg, 1200, 420, "dark"}, {"flame-phone", svg, 390, 640, "light"},
		{"flamediff-light", diff, 1200, 620, "light"}, {"flamediff-dark", diff, 1200, 620, "dark"}, {"flamediff-phone", diff, 390, 900, "dark"},
	} {
		p.open(c.name+".svg", c.svg, c.width, c.height, c.scheme)
		browsertest.Screenshot(p.t, p.ctx, c.name)
	}
	p.open("searched.svg", svg, 1200, 420, "light")
	p.click("write")
	p.run(chromedp.SendKeys(chromedp.CSS(".tools input"), "xmit"))
	p.settle()
	browsertest.Screenshot(p.t, p.ctx, "flame-searched")
	p.open("print.svg", svg, 1200, 420, "dark")
	p.run(browsertest.Print(true))
	p.settle()
	browsertest.Screenshot(p.t, p.ctx, "flame-print")
	p.run(browsertest.Print(false))
}
