package page_test

import (
	"bytes"
	"fmt"
	"time"

	"corelab/results"
	"corelab/results/page"
)

// The page of a run that has only begun.
func ExamplePage() {
	rec := &results.Record{Run: results.Run{ID: "20261122-100000-bench", Started: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)}}
	b, err := page.Page(rec)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(bytes.HasPrefix(b, []byte("<!doctype html>")), bytes.Contains(b, []byte("<h1>corelab run 20261122-100000-bench</h1>")))
	// Output: true true
}
