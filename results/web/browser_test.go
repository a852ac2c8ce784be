package web

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"corelab/results"
	"corelab/results/browsertest"
)

// until waits until an expression is true in the page. While one page takes the place of another there is none to ask.
func until(t *testing.T, ctx context.Context, expression string) {
	t.Helper()
	waitFor(t, expression, func() bool {
		holds, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		return err == nil && holds
	})
}

// at waits until a page of that path is there whole.
func at(t *testing.T, ctx context.Context, path string) {
	t.Helper()
	until(t, ctx, fmt.Sprintf("location.pathname === %q && document.readyState === 'complete'", path))
}

// fits fails where a page is wider than its window.
func fits(t *testing.T, ctx context.Context, what string) {
	t.Helper()
	wide := browsertest.Value[string](t, ctx, `(() => {
		const room = document.documentElement.clientWidth;
		if (document.documentElement.scrollWidth <= room) return "";
		const out = [...document.querySelectorAll("main *, header *")].filter(e => e.getBoundingClientRect().right > room + 1 && !e.closest(".scroll, pre, .box"));
		return document.documentElement.scrollWidth + " > " + room + ": " + out.slice(0, 5).map(e => e.tagName + "." + e.className).join(" ");
	})()`)
	if wide != "" {
		t.Errorf("%s is wider than its window: %s", what, wide)
	}
}

// steady fails where something that was shown moved by itself since the page was loaded.
func steady(t *testing.T, ctx context.Context, what string) {
	t.Helper()
	if moved := browsertest.Value[float64](t, ctx, "window.moved || 0"); moved > 0.02 {
		t.Errorf("%s: the layout shifted by %.3f", what, moved)
	}
}

// watchShifts makes the next page tell how much of it moves by itself.
const watchShifts = `new PerformanceObserver(list => { for (const e of list.getEntries()) if (!e.hadRecentInput) window.moved = (window.moved || 0) + e.value; }).observe({type: "layout-shift", buffered: true})`

func shots(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	browsertest.Settle(t, ctx)
	browsertest.Screenshot(t, ctx, "web-"+name)
}

const day = "20261122-101500-bench"

// TestBrowserClicks goes from the list to a run, back, and to two cells beside each other, with the mouse.
func TestBrowserClicks(t *testing.T) {
	s, _ := newSite(t, Options{}, profiledRun(day), smallRun("20261121-080000-bench"), sampleRun("reference/bench"))
	server := serve(t, s)
	ctx, _ := browsertest.Open(t)
	browsertest.Do(t, ctx, browsertest.Size(1280, 900), chromedp.Navigate(server.URL))
	at(t, ctx, "/")
	until(t, ctx, `document.querySelectorAll("table.list tbody tr").length === 3`)
	browsertest.Value[bool](t, ctx, "("+watchShifts+", true)")
	shots(t, ctx, "index-light")
	steady(t, ctx, "the list")
	browsertest.Do(t, ctx, chromedp.SendKeys(chromedp.CSS("#filter input"), "0800"))
	until(t, ctx, `document.querySelectorAll("table.list tbody tr").length === 1 && location.search === "?q=0800"`)
	browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS("#filter a")))
	until(t, ctx, `document.querySelectorAll("table.list tbody tr").length === 3 && location.search === ""`)

	browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS(`a[href="/run/`+day+`/"]`)))
	at(t, ctx, "/run/"+day+"/")
	until(t, ctx, `document.querySelector("figure.chart canvas, figure.chart svg") !== null`) // the scripts of the report may run
	shots(t, ctx, "report")
	browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS(`p.site a[href="/"]`)))
	at(t, ctx, "/")

	browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS(`input[name="a"][value="`+day+`"]`)), chromedp.Click(chromedp.CSS(`input[name="b"][value="`+day+`"]`)),
		chromedp.Click(chromedp.CSS(".act button")))
	at(t, ctx, "/beside")
	until(t, ctx, `document.querySelector("figure.chart canvas") !== null && document.querySelectorAll("figure.chart svg rect").length > 2`)
	browsertest.Value[bool](t, ctx, "("+watchShifts+", true)")
	shots(t, ctx, "beside-light")
	steady(t, ctx, "two cells")
	if says := browsertest.Value[string](t, ctx, `[...document.querySelectorAll("table.beside tr")].find(r => r.cells[0].textContent === "throughput").innerText`); !strings.Contains(says, "2.00") || !strings.Contains(says, "B is better") {
		t.Errorf("the row of the throughput says %q", says)
	}
	// The cases and targets follow the run that is chosen, before anything is shown.
	browsertest.Value[bool](t, ctx, `(() => { const run = document.querySelector('select[name="b"]'); run.value = "reference/bench"; run.dispatchEvent(new Event("change", { bubbles: true })); return true; })()`)
	until(t, ctx, `document.querySelectorAll('select[name="b-case"] option').length > 1 && document.querySelector('select[name="b"]').value === "reference/bench"`)
	browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS(".choose .act button")))
	until(t, ctx, `location.search.includes("reference") && document.body.textContent.includes("their figures are not comparable")`)
	shots(t, ctx, "beside-two-runs")
}

// TestBrowserKeys goes the same way without a mouse.
func TestBrowserKeys(t *testing.T) {
	s, _ := newSite(t, Options{}, profiledRun(day))
	server := serve(t, s)
	ctx, _ := browsertest.Open(t)
	browsertest.Do(t, ctx, browsertest.Size(1280, 900), chromedp.Navigate(server.URL))
	at(t, ctx, "/")
	until(t, ctx, `document.querySelectorAll("table.list tbody tr").length === 1`)
	// tab goes on until something is focused, so many stops at most.
	tab := func(selector string) {
		t.Helper()
		for range 40 {
			browsertest.Do(t, ctx, chromedp.KeyEvent(kb.Tab))
			if browsertest.Value[bool](t, ctx, fmt.Sprintf("document.activeElement.matches(%q)", selector)) {
				if outline := browsertest.Value[string](t, ctx, "getComputedStyle(document.activeElement).outlineStyle"); outline == "none" {
					t.Errorf("%s is focused, and nothing shows it", selector)
				}
				return
			}
		}
		t.Fatalf("no number of tabs leads to %s", selector)
	}
	browsertest.Do(t, ctx, chromedp.KeyEvent(kb.Tab))
	if text := browsertest.Value[string](t, ctx, "document.activeElement.textContent"); text != "To the content" {
		t.Errorf("the first stop is %q", text)
	}
	tab(`a[href="/run/` + day + `/"]`)
	browsertest.Do(t, ctx, chromedp.KeyEvent(kb.Enter))
	at(t, ctx, "/run/"+day+"/")
	tab(`a[href="/"]`)
	browsertest.Do(t, ctx, chromedp.KeyEvent(kb.Enter))
	at(t, ctx, "/")
	tab(`input[name="a"]`)
	browsertest.Do(t, ctx, chromedp.KeyEvent(" "))
	tab(`input[name="b"]`)
	browsertest.Do(t, ctx, chromedp.KeyEvent(" "), chromedp.KeyEvent(kb.Enter))
	at(t, ctx, "/beside")
	until(t, ctx, `document.querySelector("table.beside") !== null`)
	tab(`select[name="b-target"]`)
	browsertest.Do(t, ctx, chromedp.KeyEvent("n"))
	tab(".choose button")
	browsertest.Do(t, ctx, chromedp.KeyEvent(kb.Enter))
	until(t, ctx, `new URLSearchParams(location.search).get("b-target") === "nginx" && document.readyState === "complete"`)
}

// TestBrowserKeepsChoices has a run begin while the reader is about to choose two others.
func TestBrowserKeepsChoices(t *testing.T) {
	s, dir := newSite(t, Options{}, smallRun(day), sampleRun("reference/bench"))
	server := serve(t, s)
	ctx, _ := browsertest.Open(t)
	browsertest.Do(t, ctx, browsertest.Size(1280, 900), chromedp.Navigate(server.URL))
	at(t, ctx, "/")
	browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS(`input[name="a"][value="`+day+`"]`)), chromedp.Click(chromedp.CSS("details summary")),
		chromedp.Click(chromedp.CSS(`input[name="b"][value="reference/bench"]`)))
	beginRun(t, dir, "20261123-101500-bench")
	until(t, ctx, `document.querySelectorAll("table.list tbody tr").length === 3`)
	const state = `[document.querySelector('input[name="a"]:checked').value, document.querySelector('input[name="b"]:checked').value,
		document.activeElement.name, document.activeElement.value, document.querySelectorAll("details[open]").length].join(" ")`
	if got := browsertest.Value[string](t, ctx, state); got != day+" reference/bench b reference/bench 1" {
		t.Errorf("after a run began, what was chosen, focused and open is %q", got)
	}
}

// TestBrowserLive watches a run that begins after the list was opened.
func TestBrowserLive(t *testing.T) {
	s, dir := newSite(t, Options{})
	server := serve(t, s)
	ctx, _ := browsertest.Open(t)
	browsertest.Do(t, ctx, browsertest.Size(1280, 1100), chromedp.Navigate(server.URL))
	until(t, ctx, `document.body.textContent.includes("No runs yet")`)
	w := beginRun(t, dir, day)
	until(t, ctx, `document.body.textContent.includes("goes on: watch")`)
	browsertest.Do(t, ctx, chromedp.Click(chromedp.CSS("a.state.going")))
	at(t, ctx, "/run/"+day+"/live")
	until(t, ctx, `document.querySelector("#live").textContent.includes("0 trials")`)
	n := 0
	for round := 1; round <= 2; round++ {
		for _, target := range []string{"nginx", "reactor", hostile} {
			n++
			if err := w.Append(trial(target, round, float64(10_000+n), 9_000)); err != nil {
				t.Fatal(err)
			}
			until(t, ctx, fmt.Sprintf(`document.querySelector("#live").textContent.includes("%d trials") && document.querySelector("dl.figures dd").textContent.includes("10,00%d /s")`, n, n))
		}
	}
	shots(t, ctx, "live-light")
	if title := browsertest.Value[string](t, ctx, "document.title"); !strings.HasPrefix(title, "Watching ") {
		t.Errorf("a target's name became the title %q", title)
	}
	if err := w.End(results.End{Trials: n}); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, `document.querySelector(".state").textContent === "ended" && document.querySelector("#link").textContent === "The run has ended."`)
	waitFor(t, "the page to stop listening", func() bool {
		s.news.mu.Lock()
		defer s.news.mu.Unlock()
		return s.news.watchers == 0
	})
}

// TestBrowserFlame zooms into the difference of two profiles, in the page and by itself.
func TestBrowserFlame(t *testing.T) {
	s, _ := newSite(t, Options{}, profiledRun(day))
	server := serve(t, s)
	ctx, _ := browsertest.Open(t)
	query := besideOf(day, "nginx", day, "reactor")
	browsertest.Do(t, ctx, browsertest.Size(1280, 1000), chromedp.Navigate(server.URL+"/beside?"+query))
	const inside = `document.querySelector("iframe.flame").contentDocument`
	until(t, ctx, inside+` !== null && `+inside+`.querySelector("svg.f") !== null`)
	browsertest.Value[bool](t, ctx, `(document.querySelector("iframe.flame").scrollIntoView({ behavior: "instant" }), true)`)
	shots(t, ctx, "flame-in-page")
	browsertest.Do(t, ctx, chromedp.Navigate(server.URL+"/beside/flame.svg?"+query))
	until(t, ctx, `document.querySelector("svg.f") !== null`)
	frame := `[...document.querySelectorAll("svg.f")].find(f => f.textContent.includes("tcp_sendmsg"))`
	before := browsertest.Value[float64](t, ctx, frame+".getBoundingClientRect().width")
	browsertest.Do(t, ctx, chromedp.Click(chromedp.JSPath(frame)))
	until(t, ctx, fmt.Sprintf("%s.getBoundingClientRect().width > %f", frame, before*1.2))
	shots(t, ctx, "flame-zoomed")
}

// TestBrowserNarrow shows every page on a telephone, with names that would do harm, in the dark, and on paper.
func TestBrowserNarrow(t *testing.T) {
	evil := func(r *results.Run) {
		r.Targets = append(r.Targets, results.Target{Name: hostile})
		r.Scenarios[0].Question = hostile
		r.Host.CPU, r.Commit = hostile, strings.Repeat("x", 60)
	}
	id := `<img src=x onerror="document.title='pwned'">` + strings.Repeat("long", 15)
	s, _ := newSite(t, Options{}, profiledRun(day), sampleRun("reference/bench"), func(t testing.TB, dir string) {
		other := t.TempDir()
		smallRun("evil", evil)(t, other)
		b, err := os.ReadFile(filepath.Join(other, "evil", results.RunFile))
		if err != nil {
			t.Fatal(err)
		}
		writeRecord(t, filepath.Join(dir, id), b)
		writeRecord(t, filepath.Join(dir, "broken"), []byte("nonsense\n"))
	})
	server := serve(t, s)
	ctx, _ := browsertest.Open(t)
	browsertest.Do(t, ctx, browsertest.Size(390, 844))
	query := "/beside?" + besideOf(id, "reactor", "reference/bench", "reactor")
	for _, c := range []struct{ name, path string }{
		{"index", "/"}, {"live", runPath(id) + "live"}, {"report", runPath(id)}, {"beside", query}, {"choose", "/beside"},
		{"beside-one", "/beside?a=" + day},
	} {
		for _, scheme := range []string{"light", "dark"} {
			browsertest.Do(t, ctx, browsertest.Scheme(scheme), chromedp.Navigate(server.URL+c.path), chromedp.WaitReady(chromedp.CSS("main")))
			browsertest.Settle(t, ctx)
			fits(t, ctx, c.name)
			if title := browsertest.Value[string](t, ctx, "document.title + document.querySelectorAll('img').length"); strings.Contains(title, "pwned'") && strings.HasPrefix(title, "pwned") || !strings.HasSuffix(title, "0") {
				t.Errorf("%s: a name became a part of the page: %q", c.name, title)
			}
			shots(t, ctx, c.name+"-390-"+scheme)
		}
	}
	browsertest.Do(t, ctx, browsertest.Print(true), browsertest.Size(1000, 1400), chromedp.Navigate(server.URL+"/beside?a="+day), chromedp.WaitReady(chromedp.CSS("main")))
	shots(t, ctx, "beside-print")
}
