package results_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"corelab/results"
)

// A run is written line by line as it happens, and read back whole.
func ExampleCreate() {
	root, err := os.MkdirTemp("", "runs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(root)
	w, err := results.Create(root, "20261122-101500-bench", results.Run{Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	load := results.Load{Generator: "corelab", Loop: results.LoopClosed, Connections: 64, Requests: 50_000, Elapsed: time.Second}
	if err := w.Append(results.Trial{Scenario: "plaintext", Target: "reactor", Round: 1, Load: &load}); err != nil {
		fmt.Println(err)
	}
	if err := w.End(results.End{Trials: 1}); err != nil {
		fmt.Println(err)
	}
	rec, err := results.Read(filepath.Join(root, results.LatestLink))
	if err != nil {
		fmt.Println(err)
		return
	}
	rate, _ := results.Throughput.Of(&rec.Trials[0])
	fmt.Println(rec.Run.ID, len(rec.Trials), rate)
	// Output: 20261122-101500-bench 1 50000
}

// The published row that a lab must not print without a warning.
func ExampleCheck() {
	t := results.Trial{Load: &results.Load{Loop: results.LoopClosed, Connections: 800, Requests: 429_780, Elapsed: 20 * time.Second,
		Latency: &results.Latency{Count: 429_780, Mean: 23500 * time.Microsecond}}}
	for _, w := range results.Check(&t) {
		fmt.Println(w.Text, results.Refuses(w.Code))
	}
	// Output: Little's law: 800 connections ÷ 21,489 req/s = 37.2 ms, but the mean latency is reported as 23.5 ms (-37 %) true
}

// What drifts from round to round falls out of a ratio that is taken round by round.
func ExamplePaired() {
	reactor := results.Rounds{1: 9.0, 2: 9.9, 3: 10.8, 4: 9.1, 5: 10.0, 6: 11.0}
	nginx := results.Rounds{1: 10.0, 2: 11.0, 3: 12.1, 4: 10.0, 5: 11.1, 6: 12.1}
	e, _ := results.Paired(reactor, nginx)
	fmt.Printf("%.2f (%.2f–%.2f), proven: %v\n", e.Median, e.Lo, e.Hi, e.Side(1) < 0)
	// Output: 0.90 (0.89–0.91), proven: true
}

func ExampleReplaceBlock() {
	readme := []byte("<!-- lab:plaintext -->\n<!-- /lab:plaintext -->\n")
	b, err := results.ReplaceBlock(readme, "plaintext", "| target | CPU ÷ nginx |")
	fmt.Printf("%s%v\n", b, err)
	// Output:
	// <!-- lab:plaintext -->
	// | target | CPU ÷ nginx |
	// <!-- /lab:plaintext -->
	// <nil>
}

// What limits a row is said in one sentence, by what its trials counted.
func ExampleRecord_BottleneckOf() {
	workers := make([]results.Worker, 64)
	for i := range workers {
		workers[i] = results.Worker{Requests: 1000, Open: 1}
	}
	rec := &results.Record{Trials: []results.Trial{{
		Scenario: "connections", Case: "connections=800", Target: "pool", Round: 1, Placement: results.PlacementSplit, Workers: workers,
		Load: &results.Load{Generator: "corelab", Loop: results.LoopClosed, Connections: 800, Starved: 736, Requests: 64_000, Elapsed: time.Second},
	}}}
	cells := results.Cells(rec)
	if b, ok := rec.BottleneckOf(cells, cells[0]); ok {
		fmt.Printf("%s: %s\n%s\n", b.Rule, b.Sentence, b.Evidence[0])
	}
	// Output:
	// pool-full: the worker pool is full: 736 of 800 connections were never answered
	// 64 workers keep one connection each, and accept no other meanwhile
}
