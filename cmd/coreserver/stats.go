package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/metrics"
	"syscall"

	"corelab/servers"
)

// figures is the answer on --stats-fd.
type figures struct {
	Runtime runtimeFigures        `json:"runtime"`
	Workers []servers.WorkerStats `json:"workers"`
	Ballast *ballastFigures       `json:"ballast,omitempty"` // of --ballast; they never change
}

// runtimeFigures are counters since the start of the process, and gauges.
type runtimeFigures struct {
	Allocs     uint64 `json:"allocs"`      // objects allocated, ever
	AllocBytes uint64 `json:"alloc_bytes"` // their bytes
	GCCycles   uint64 `json:"gc_cycles"`   // finished, ever
	Goroutines uint64 `json:"goroutines"`  // now
	HeapKiB    uint64 `json:"heap_kib"`    // of objects, living or not yet swept, now
}

// maxAsked bounds what is read from the descriptor at once.
const maxAsked = 512

// serveStats answers each line from conn until it ends. A failure is the starter's to see, and ours to report once.
func serveStats(conn io.ReadWriteCloser, server servers.Server, load *ballast, stderr io.Writer) {
	defer conn.Close()
	if err := answerStats(conn, server.Stats, load.figures()); err != nil {
		fmt.Fprintf(stderr, "coreserver: answer on --stats-fd: %v; figures have ended\n", err)
	}
}

// answerStats writes one line of figures for each line read, or for bytes that come without one; lines that ask for profiles
// get those.
func answerStats(conn io.ReadWriter, workers func() []servers.WorkerStats, load *ballastFigures) error {
	buf := make([]byte, maxAsked)
	profiles := new(recorder)
	defer profiles.stop()
	for {
		n, err := conn.Read(buf)
		for _, question := range questions(buf[:n]) {
			line, ours := profiles.answer(question)
			if !ours {
				var err error
				if line, err = json.Marshal(figures{readRuntime(), workers(), load}); err != nil {
					return err
				}
			}
			if _, err := conn.Write(append(line, '\n')); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET): // reset: closed with an answer unread
			return nil
		case err != nil:
			return err
		}
	}
}

// questions are the whole lines of what was read at once, or all of it where there is none.
func questions(read []byte) [][]byte {
	whole := bytes.Count(read, []byte{'\n'})
	switch {
	case len(read) == 0:
		return nil
	case whole == 0:
		return [][]byte{read}
	}
	return bytes.SplitN(read, []byte{'\n'}, whole+1)[:whole]
}

// readRuntime reads what the runtime counts. It stops no goroutine, as runtime.ReadMemStats would.
func readRuntime() runtimeFigures {
	var f runtimeFigures
	wanted := [...]struct {
		name string
		to   *uint64
	}{
		{"/gc/heap/allocs:objects", &f.Allocs},
		{"/gc/heap/allocs:bytes", &f.AllocBytes},
		{"/gc/cycles/total:gc-cycles", &f.GCCycles},
		{"/sched/goroutines:goroutines", &f.Goroutines},
		{"/memory/classes/heap/objects:bytes", &f.HeapKiB},
	}
	var samples [len(wanted)]metrics.Sample
	for i := range wanted {
		samples[i].Name = wanted[i].name
	}
	metrics.Read(samples[:])
	for i := range wanted {
		*wanted[i].to = samples[i].Value.Uint64()
	}
	f.HeapKiB >>= 10
	return f
}
