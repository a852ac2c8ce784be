// Package browsertest opens what the lab draws in a real Chromium without a window, for tests.
//
//	ctx, done := browsertest.Open(t)
//	defer done()
//	browsertest.Do(t, ctx, browsertest.Size(1200, 800), chromedp.Navigate(browsertest.File(t, path)))
//	title := browsertest.Value[string](t, ctx, "document.title")
//	browsertest.Screenshot(t, ctx, "flame-light")
//
// A page that writes an error to its console, throws, or asks the network for anything beyond this machine fails the test.
// Only tests import the package: nothing that is measured or shipped starts a browser.
package browsertest
