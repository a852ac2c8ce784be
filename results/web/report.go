package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"

	"corelab/results/page"
)

// serveReport answers with a run's report: that of report.html, made of the record as it is now, with a way back to the others.
func (s *Site) serveReport(w http.ResponseWriter, r *http.Request, run Run) {
	if !strings.HasSuffix(r.URL.Path, "/") { // what the page names lies below it
		http.Redirect(w, r, runPath(run.ID), http.StatusTemporaryRedirect)
		return
	}
	k, err := s.records.get(s.dir, run)
	if err != nil {
		s.failRecord(w, run, err)
		return
	}
	b, err := k.page()
	if err != nil {
		s.fail(w, http.StatusInternalServerError, "The report of "+run.ID+" cannot be made: "+plain(err))
		return
	}
	w.Header().Set("Content-Security-Policy", reportPolicy())
	answer(w, http.StatusOK, "text/html; charset=utf-8", withWayBack(b, run))
}

// pageStart is where the report's own content begins.
var pageStart = []byte("<div class=\"page\">\n")

// withWayBack puts links to the other pages at a report's begin.
func withWayBack(b []byte, run Run) []byte {
	links := `<p class="site"><a href="/">All runs</a> · <a href="/beside?a=` + html.EscapeString(url.QueryEscape(run.ID)) + `">Put a cell of it beside another</a>`
	if run.End == nil {
		links += ` · <a href="` + html.EscapeString(runPath(run.ID)) + `live">Watch it: it has not ended</a>`
	}
	return bytes.Replace(b, pageStart, append(bytes.Clone(pageStart), links+"</p>\n"...), 1)
}

// reportPolicy is what a report may do: run the scripts that are embedded in this program, which it holds word for word, and
// none of its own.
var reportPolicy = sync.OnceValue(func() string {
	var digests []string
	err := fs.WalkDir(page.Assets, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".js" {
			return err
		}
		b, err := fs.ReadFile(page.Assets, name)
		sum := sha256.Sum256(b)
		digests = append(digests, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
		return err
	})
	if err != nil {
		panic(fmt.Sprintf("web: the program lacks its own assets: %v", err))
	}
	slices.Sort(digests)
	return "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; script-src " +
		strings.Join(digests, " ")
})
