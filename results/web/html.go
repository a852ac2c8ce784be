package web

import (
	"bytes"
	"embed"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"time"

	"corelab/results"
	"corelab/results/page"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// pages are the templates. What they are given is plain text; they escape it for where it stands.
var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"percent": percent,
	"side":    func(v *side, runs []choice) sideForm { return sideForm{v, runs} },
}).ParseFS(pageFiles, "pages/*.html"))

// moment is a time for people, the same for everybody.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// percent is a part as a whole number of hundredths.
func percent(part float64) string { return strconv.Itoa(int(100*part + 0.5)) }

// view is what every page has.
type view struct {
	Title  string
	Where  string // which entry of the menu it is: "runs", "beside"
	Charts bool   // it draws some
	Body   any
}

// render answers with a page. It is made whole before the first byte leaves: half of one would look like one.
func (s *Site) render(w http.ResponseWriter, status int, name string, v any) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, v); err != nil {
		// A reader can do nothing about it, but shall not take an empty page for an answer.
		http.Error(w, "The page could not be made: "+plain(err), http.StatusInternalServerError)
		return
	}
	answer(w, status, "text/html; charset=utf-8", b.Bytes())
}

func answer(w http.ResponseWriter, status int, kind string, b []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	w.Write(b) // an error is that of a reader who left
}

// fail answers with a page that says why, and leads back.
func (s *Site) fail(w http.ResponseWriter, status int, why string) {
	s.render(w, status, "error", view{Title: http.StatusText(status), Body: results.Printable(why)})
}

// assetAge is how long a browser may use an asset without asking: the pages of a newer corelab shall not run the scripts of an
// older one for long.
const assetAge = "max-age=60"

// serveAsset answers with a sheet or a script: our own, or one of those that the report is made of.
func serveAsset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	b, err := fs.ReadFile(assetFiles, "assets/"+name) // which takes no path that is not clean
	if err != nil {
		b, err = fs.ReadFile(page.Assets, "assets/"+name)
	}
	if err != nil {
		http.Error(w, "There is no such asset.", http.StatusNotFound)
		return
	}
	w.Header().Set("Cache-Control", assetAge)
	answer(w, http.StatusOK, mime.TypeByExtension(path.Ext(name)), b)
}
