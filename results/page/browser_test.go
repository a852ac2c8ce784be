package page

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"corelab/results/browsertest"
)

// opened is the page of the made record in a browser of that size, which watches for shifts of the layout from the start.
func opened(t *testing.T, width, height int64, before ...browsertest.Action) context.Context {
	t.Helper()
	return openedText(t, pageOf(t, made(t)), width, height, before...)
}

func openedText(t *testing.T, text string, width, height int64, before ...browsertest.Action) context.Context {
	t.Helper()
	ctx, _ := browsertest.Open(t)
	path := filepath.Join(t.TempDir(), "a page.html")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	actions := append([]browsertest.Action{browsertest.Size(width, height)}, before...)
	run(t, ctx, append(actions, chromedp.Navigate(browsertest.File(t, path)), chromedp.WaitReady(chromedp.CSS("main")))...)
	return ctx
}

func run(t *testing.T, ctx context.Context, steps ...browsertest.Action) {
	t.Helper()
	browsertest.Do(t, ctx, steps...)
}

// script runs an expression in the page for what it does.
func script(t *testing.T, ctx context.Context, expression string) {
	t.Helper()
	browsertest.Value[bool](t, ctx, "(() => {"+expression+"; return true; })()")
}

// value is what an expression is in the page; it may be a promise.
func value[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	return browsertest.Value[T](t, ctx, expression)
}

// until waits for an expression to be true in the page.
func until(t *testing.T, ctx context.Context, expression string) {
	t.Helper()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](expression)); err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
}

const firstTable = `document.querySelector("#t1")`

// names are the rows of the first table, in order.
func names(t *testing.T, ctx context.Context) string {
	t.Helper()
	return value[string](t, ctx, `[...`+firstTable+`.tBodies].map(b => b.querySelector("th").firstChild.textContent.trim().slice(0, 8)).join(",")`)
}

func TestBrowserSorts(t *testing.T) {
	ctx := opened(t, 1200, 900)
	before := names(t, ctx)
	column := value[int](t, ctx, `[...`+firstTable+`.tHead.rows[0].cells].findIndex(c => c.textContent === "req/s")`)
	head := firstTable + `.tHead.rows[0].cells[` + strconv.Itoa(column) + `]`
	sorted := func(want string) {
		t.Helper()
		if got := value[string](t, ctx, head+`.getAttribute("aria-sort") || "none"`); got != want {
			t.Errorf("aria-sort is %s, want %s", got, want)
		}
	}
	sorted("none")
	browsertest.Screenshot(t, ctx, "page-light")
	run(t, ctx, chromedp.Click(chromedp.JSPath(head+`.querySelector("button")`)))
	up := names(t, ctx)
	sorted("ascending")
	if up != "<script>,nginx,reactor" {
		t.Errorf("sorted by req/s: %s", up)
	}
	run(t, ctx, chromedp.Focus(chromedp.JSPath(head+`.querySelector("button")`)), chromedp.KeyEvent(kb.Enter))
	sorted("descending")
	if got := names(t, ctx); got != "reactor,nginx,<script>" {
		t.Errorf("the other way round, by keyboard: %s", got)
	}
	run(t, ctx, chromedp.KeyEvent(" "))
	sorted("none")
	if got := names(t, ctx); got != before {
		t.Errorf("as they were: %s, not %s", got, before)
	}
}

func TestBrowserOpensRows(t *testing.T) {
	ctx := opened(t, 1200, 900)
	shown := firstTable + `.querySelector("tr.behind").getBoundingClientRect().height > 0`
	if value[bool](t, ctx, shown) {
		t.Error("a row is open by itself")
	}
	run(t, ctx, chromedp.Click(chromedp.JSPath(firstTable+`.querySelector("button.why")`)))
	if !value[bool](t, ctx, shown) || !value[bool](t, ctx, firstTable+`.querySelector("button.why").getAttribute("aria-expanded") === "true"`) {
		t.Error("a click does not open the row")
	}
}

// inked counts the pixels of each canvas that are not empty.
const inked = `[...document.querySelectorAll("figure.chart canvas")].map(c => {
	const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
	let n = 0;
	for (let i = 3; i < d.length; i += 4) if (d[i]) n++;
	return n;
})`

func TestBrowserDrawsCharts(t *testing.T) {
	ctx := opened(t, 1200, 900)
	script(t, ctx, `corelab.drawAll()`)
	until(t, ctx, `document.querySelectorAll("figure.chart canvas").length === 14`) // 3 percentiles, 9 courses, 2 over connections
	for i, n := range value[[]int](t, ctx, inked) {
		if n < 500 {
			t.Errorf("canvas %d has %d pixels with something in them", i, n)
		}
	}
	if n := value[int](t, ctx, `document.querySelectorAll('figure[data-chart="bars"] svg rect').length`); n < 3*3 {
		t.Errorf("%d parts of bars", n)
	}
	script(t, ctx, `document.documentElement.style.scrollBehavior = "auto"; document.querySelector("figure.chart").scrollIntoView()`)
	browsertest.Settle(t, ctx)
	browsertest.Screenshot(t, ctx, "page-charts")
	// A name of the legend takes its line away.
	before := value[[]int](t, ctx, inked)[0]
	script(t, ctx, `document.querySelector("figure.chart .legend button").click()`)
	until(t, ctx, inked+`[0] < `+strconv.Itoa(before))
	// The arrows move the cursor of a chart.
	run(t, ctx, chromedp.Focus(chromedp.CSS(`figure[data-chart="percentiles"] .plot`)), chromedp.KeyEvent(kb.ArrowRight))
	until(t, ctx, `!document.querySelector('figure[data-chart="percentiles"] .tip').hidden`)
	if n := value[int](t, ctx, `document.querySelectorAll("main script").length`); n != 0 {
		t.Errorf("%d scripts came out of names", n)
	}
	if title := value[string](t, ctx, `document.title`); !strings.HasPrefix(title, "corelab run") {
		t.Errorf("the title is %q: a name was run", title)
	}
}

func TestBrowserFlameZooms(t *testing.T) {
	ctx := opened(t, 1200, 900)
	script(t, ctx, `corelab.drawAll()`)
	const figure = `document.querySelector("figure.flame")`
	until(t, ctx, figure+`.querySelectorAll(".frame").length > 5`)
	width := `[...` + figure + `.querySelectorAll(".frame")].find(f => f.textContent === "tcp_sendmsg").getBoundingClientRect().width / ` + figure + `.querySelector(".box").clientWidth`
	if part := value[float64](t, ctx, width); part < 0.5 || part > 0.58 { // 500 of 920 ms
		t.Errorf("tcp_sendmsg is %.2f wide", part)
	}
	frame := `[...` + figure + `.querySelectorAll(".frame")].find(f => f.textContent === "ksys_write")`
	script(t, ctx, `document.documentElement.style.scrollBehavior = "auto"; `+frame+`.scrollIntoView({block: "center"})`)
	run(t, ctx, chromedp.Click(chromedp.JSPath(frame)))
	if part := value[float64](t, ctx, width); part < 0.98 {
		t.Errorf("zoomed into what calls it, tcp_sendmsg is %.2f wide", part)
	}
	run(t, ctx, chromedp.KeyEvent(kb.Escape))
	if part := value[float64](t, ctx, width); part > 0.58 {
		t.Errorf("shown all again, tcp_sendmsg is %.2f wide", part)
	}
	// By keyboard: down to the widest child, and into it.
	run(t, ctx, chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.Enter))
	if got := value[string](t, ctx, figure+`.dataset.zoomed`); got != "runtime.mcall" {
		t.Errorf("by keyboard into %q", got)
	}
	run(t, ctx, chromedp.KeyEvent(kb.Escape))
	script(t, ctx, `const i = `+figure+`.querySelector("input"); i.value = "TCP_send"; i.dispatchEvent(new Event("input"))`)
	if n := value[int](t, ctx, figure+`.querySelectorAll(".found").length`); n != 1 {
		t.Errorf("%d frames found", n)
	}
	browsertest.Screenshot(t, ctx, "page-flame")
	// Held against another target: what grew is of another colour than what shrank.
	script(t, ctx, `const s = [...`+figure+`.querySelectorAll("select")].find(s => s.getAttribute("aria-label") === "hold against"); s.value = "nginx"; s.dispatchEvent(new Event("change"))`)
	if n := value[int](t, ctx, `new Set([...`+figure+`.querySelectorAll(".frame:not(.found)")].map(f => getComputedStyle(f).backgroundColor)).size`); n < 2 {
		t.Errorf("%d colours in the difference", n)
	}
}

// The step from one core to the next leads to the difference of their flame graphs, in the page itself.
func TestBrowserStepsLeadToDifferences(t *testing.T) {
	ctx := openedText(t, pageOf(t, madeOf(t, "sequential", "pool", "epoll")), 1200, 900)
	const link = `[...document.querySelectorAll("a")].find(a => a.getAttribute("href") === "flame/diff-connections-connections_50-pool-epoll.svg")`
	if !value[bool](t, ctx, link+` !== undefined`) {
		t.Fatal("no step is linked")
	}
	run(t, ctx, chromedp.Click(chromedp.JSPath(link)))
	until(t, ctx, `[...document.querySelectorAll("figure.flame")].some(f => f.dataset.target === "epoll" && f.querySelector("[aria-label='hold against']")?.value === "pool" && f.contains(document.activeElement))`)
	if at := value[string](t, ctx, `location.pathname`); !strings.HasSuffix(at, ".html") {
		t.Errorf("left the page for %s", at)
	}
}

const overflow = `document.scrollingElement.scrollWidth - innerWidth`

func TestBrowserOnAPhone(t *testing.T) {
	ctx := opened(t, 390, 844)
	script(t, ctx, `corelab.drawAll(); document.querySelectorAll("button.why").forEach(b => b.click())`)
	if n := value[int](t, ctx, overflow); n > 0 {
		t.Errorf("the page is %d pixels wider than the phone", n)
	}
	if !value[bool](t, ctx, `(() => { const s = document.querySelector(".scroll"); return s.scrollWidth > s.clientWidth; })()`) {
		t.Error("no table scrolls in its own box: the test shows nothing")
	}
	browsertest.Screenshot(t, ctx, "page-phone")
}

// luminance is how light a colour of the page is, 0 to 1.
const luminance = `(e => { const [r, g, b] = getComputedStyle(e).backgroundColor.match(/[\d.]+/g).map(Number); return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255; })(document.body)`

func TestBrowserThemes(t *testing.T) {
	ctx := opened(t, 1200, 900, browsertest.Scheme("dark"))
	if l := value[float64](t, ctx, luminance); l > 0.2 {
		t.Errorf("who prefers dark gets a page of luminance %.2f", l)
	}
	browsertest.Screenshot(t, ctx, "page-dark")
	run(t, ctx, chromedp.Click(chromedp.CSS("#theme")))
	if l := value[float64](t, ctx, luminance); l < 0.8 {
		t.Errorf("the theme light has luminance %.2f", l)
	}
	run(t, ctx, chromedp.Click(chromedp.CSS("#theme")), browsertest.Scheme("light"))
	if l := value[float64](t, ctx, luminance); l > 0.2 {
		t.Errorf("the theme dark has luminance %.2f, where light is preferred", l)
	}
}

func TestBrowserOnPaper(t *testing.T) {
	ctx := opened(t, 1200, 900, browsertest.Scheme("dark"))
	run(t, ctx, browsertest.Print(true))
	until(t, ctx, `[...document.querySelectorAll("figure.chart, figure.flame")].every(f => f.dataset.drawn)`)
	if l := value[float64](t, ctx, luminance); l < 0.9 {
		t.Errorf("paper of luminance %.2f", l)
	}
	if n := value[int](t, ctx, `[...document.querySelectorAll("tr.behind")].filter(r => r.getBoundingClientRect().height === 0).length`); n != 0 {
		t.Errorf("%d rows do not show what is behind them", n)
	}
	if n := value[int](t, ctx, `[...document.querySelectorAll(".controls, button.why, .flame .bar")].filter(e => e.getBoundingClientRect().height > 0).length`); n != 0 {
		t.Errorf("%d controls are on paper", n)
	}
	if n := value[int](t, ctx, `[...document.querySelectorAll(".flame .box")].filter(e => e.scrollHeight > e.clientHeight + 1).length`); n != 0 {
		t.Errorf("%d flame graphs are cut off on paper", n)
	}
	browsertest.Screenshot(t, ctx, "page-print")
}

// Drawing must not move anything that is already there.
func TestBrowserDoesNotJump(t *testing.T) {
	text := pageOf(t, made(t))
	for _, width := range []int64{1200, 390} {
		ctx := openedText(t, text, width, 844)
		until(t, ctx, `document.readyState === "complete"`)
		const shifts = `new Promise(done => {
			let sum = 0;
			new PerformanceObserver(list => { for (const e of list.getEntries()) sum += e.value; }).observe({ type: "layout-shift", buffered: true });
			corelab.drawAll();
			requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(sum), 100)));
		})`
		if sum := value[float64](t, ctx, shifts); sum > 0.01 {
			t.Errorf("%d wide: the layout shifts by %.3f", width, sum)
		}
	}
}

// withoutScripts is a browser in which JavaScript is off.
func withoutScripts(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
	_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	return chromedp.Void{}, err
}

func TestBrowserWithoutScripts(t *testing.T) {
	ctx := opened(t, 1200, 900, withoutScripts)
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("main")))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"reactor", "req/s", "figures are in the tables", "What limits it", "bin/coreserver --core reactor"} {
		if !strings.Contains(text, want) {
			t.Errorf("without scripts the page lacks %q", want)
		}
	}
	if n := value[float64](t, ctx, `Math.max(...[...document.querySelectorAll("figure")].map(f => f.getBoundingClientRect().height))`); n > 200 {
		t.Errorf("what is not drawn takes %.0f pixels", n)
	}
	browsertest.Screenshot(t, ctx, "page-without-scripts")
}

// contrasts are the texts that stand out too little from what is behind them: less than 4.5 to 1, by WCAG's level AA.
const contrasts = `(() => {
	const parse = c => { const [r, g, b, a = 1] = c.match(/[\d.]+/g).map(Number); return { rgb: [r, g, b], a }; };
	const light = rgb => { const [r, g, b] = rgb.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const behind = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.a === 1) return c.rgb; } return [255, 255, 255]; };
	const found = new Set();
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	let seen = 0;
	while (walk.nextNode()) {
		const e = walk.currentNode.parentElement;
		if (!walk.currentNode.textContent.trim() || !e.getClientRects().length || e.closest("svg, script, .unseen, .tip")) continue;
		seen++;
		const a = light(parse(getComputedStyle(e).color).rgb), b = light(behind(e));
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < 4.5) found.add(e.tagName + "." + e.className + " " + ratio.toFixed(2) + ": " + e.textContent.slice(0, 30));
	}
	if (seen < 100) found.add("only " + seen + " texts were looked at");
	return [...found].slice(0, 10);
})()`

func TestBrowserContrast(t *testing.T) {
	text := pageOf(t, made(t))
	for _, scheme := range []string{"light", "dark"} {
		ctx := openedText(t, text, 1200, 900, browsertest.Scheme(scheme))
		script(t, ctx, `corelab.drawAll(); document.getElementById("expand").click()`)
		for _, found := range value[[]string](t, ctx, contrasts) {
			t.Errorf("%s: %s", scheme, found)
		}
	}
}
