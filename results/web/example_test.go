package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"corelab/results"
	"corelab/results/web"
)

// The pages are a handler, which a test or another server may ask as well.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "runs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	w, err := results.Create(dir, "20261122-101500-bench", results.Run{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := w.End(results.End{}); err != nil {
		fmt.Println(err)
		return
	}
	site, err := web.New(dir, web.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer site.Close()
	for _, path := range []string{"/", "/run/20261122-101500-bench/", "/run/another/"} {
		answer := httptest.NewRecorder()
		site.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil))
		fmt.Println(answer.Code, strings.Contains(answer.Body.String(), "20261122-101500-bench"))
	}
	// Output:
	// 200 true
	// 200 true
	// 404 false
}
