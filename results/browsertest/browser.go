package browsertest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// ScreenshotsEnv names the environment variable with the folder that screenshots are kept in; without it they go to the
// test's temporary folder.
const ScreenshotsEnv = "CORELAB_SCREENSHOTS"

// Bounds of one browser.
const (
	openTime = 5 * time.Minute // from Open until it is ended in any case: on a loaded machine all takes long
	maxFound = 50              // errors that one test shows
)

// names are what Chromium is called by distributions, best first.
var names = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell"}

// Open starts a browser with a fresh profile and one empty tab. ctx is for Do, Value and chromedp.Run, for at most openTime; done ends the
// browser and fails t with what its pages said to the console, threw, or asked the network for. It is called at the end of
// the test in any case. Where no Chromium is installed the test is skipped.
func Open(t testing.TB) (ctx context.Context, done func()) {
	t.Helper()
	path := find()
	if path == "" {
		t.Skipf("no browser is installed (%s): apt-get install --no-install-recommends chromium", strings.Join(names, ", "))
	}
	bounded, stop := context.WithTimeout(context.Background(), openTime)
	browser, end := chromedp.NewExecAllocator(bounded, flags(path)...)
	var found complaints
	ctx, closeTab := chromedp.NewContext(browser, chromedp.WithListener(found.hear))
	done = sync.OnceFunc(func() {
		closeTab() // waits for the browser to end
		end()
		stop()
		for _, text := range found.all() {
			t.Errorf("the page: %s", text)
		}
	})
	t.Cleanup(done)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return ctx, done
}

// flags let it run as root and without a GPU, and keep it from the network. The folder of its profile is a new one each
// time, which chromedp removes.
func flags(path string) []chromedp.ExecAllocatorOption {
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.NoSandbox,
		chromedp.DisableGPU,
	}
	for _, name := range []string{"disable-background-networking", "disable-component-update", "disable-sync", "disable-extensions",
		"disable-dev-shm-usage", "disable-default-apps", "disable-breakpad", "no-pings", "metrics-recording-only"} {
		options = append(options, chromedp.Flag(name, true))
	}
	return append(options, chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("password-store", "basic"),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"))
}

// find is the first of names on the PATH.
func find() string {
	for _, name := range names {
		for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
			path := filepath.Join(dir, name)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return path
			}
		}
	}
	return ""
}

// complaints are what went wrong in the pages of one browser. It is called by chromedp's goroutines.
type complaints struct {
	mu    sync.Mutex
	texts []string
}

func (c *complaints) add(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.texts) < maxFound {
		c.texts = append(c.texts, fmt.Sprintf(format, args...))
	}
}

func (c *complaints) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.texts
}

// hear takes an event of the tab.
func (c *complaints) hear(event any) {
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		switch e.Type {
		case runtime.ConsoleAPICalledTypeError, runtime.ConsoleAPICalledTypeAssert, runtime.ConsoleAPICalledTypeWarning:
			var parts []string
			for _, a := range e.Args {
				parts = append(parts, strings.TrimSpace(string(a.Value)+" "+a.Description))
			}
			c.add("console.%s: %s", e.Type, strings.Join(parts, " "))
		}
	case *runtime.EventExceptionThrown:
		d := e.ExceptionDetails
		text := d.Text
		if d.Exception != nil {
			text += " " + d.Exception.Description + string(d.Exception.Value)
		}
		c.add("threw: %s, at %s:%d:%d", text, d.URL, d.LineNumber+1, d.ColumnNumber+1)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			c.add("log: %s %s", e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		if !local(e.Request.URL) {
			c.add("asked the network for %s", e.Request.URL)
		}
	}
}

// local reports whether an address stays on this machine.
func local(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "file", "data", "blob", "about", "chrome":
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// Action is a step that has no result.
type Action = chromedp.Action[chromedp.Void]

// Do runs steps in the browser of ctx, and fails t where one cannot be done.
func Do(t testing.TB, ctx context.Context, steps ...Action) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// Value is what a script gives in the page of ctx: of a promise, what it is kept with.
func Value[T any](t testing.TB, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%v; in %s", err, script)
	}
	return v
}

// Settle waits until what was changed is laid out and drawn: two frames later all observers have been called.
func Settle(t testing.TB, ctx context.Context) {
	t.Helper()
	Value[bool](t, ctx, "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")
}

// Size makes the window so many CSS pixels large, from the next layout on.
func Size(width, height int64) Action { return chromedp.EmulateViewport(width, height) }

// Scheme sets what the reader prefers: "light" or "dark".
func Scheme(name string) Action {
	return media(emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
}

// Print shows pages as they would be printed, or on the screen again.
func Print(on bool) Action {
	if on {
		return media(emulation.SetEmulatedMediaParams{Media: "print"})
	}
	return media(emulation.SetEmulatedMediaParams{})
}

func media(p emulation.SetEmulatedMediaParams) Action {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, p)
		return err
	})
}

// File is the address of a file.
func File(t testing.TB, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return (&url.URL{Scheme: "file", Path: abs}).String()
}

// Screenshot writes what the window shows as NAME.png into the folder that CORELAB_SCREENSHOTS names, or the test's own.
func Screenshot(t testing.TB, ctx context.Context, name string) {
	t.Helper()
	dir := os.Getenv(ScreenshotsEnv)
	if dir == "" {
		dir = t.TempDir()
	}
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatalf("screenshot %s: %v", name, err)
	}
	err = os.MkdirAll(dir, 0o777)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o666)
	}
	if err != nil {
		t.Fatalf("screenshot %s: %v", name, err)
	}
}
