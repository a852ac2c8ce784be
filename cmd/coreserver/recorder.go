package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"runtime"
	"runtime/pprof"
)

// Questions on --stats-fd beside that for figures. They are whole lines, each written at once.
const (
	askBegin = "profile begin" // from now on, until
	askEnd   = "profile end"   // which answers with all profiles
)

// What is sampled of the events that block, between the two. Each costs the server time, so nothing is at other times.
const (
	blockRate     = 10_000 // one event in so many ns of waiting
	mutexFraction = 10     // one contended unlock in so many
)

// namedProfiles are those that the runtime keeps, by the names that they have in a record, in the order in which they are
// taken: goroutines while the load goes on, the heap last, for it is only told up to a collection.
var namedProfiles = []struct{ kind, lookup string }{
	{"go-goroutine", "goroutine"}, {"go-block", "block"}, {"go-mutex", "mutex"}, {"go-heap", "heap"},
}

// profileAnswer is the answer to both questions.
type profileAnswer struct {
	Profiling bool              `json:"profiling"`
	Profiles  map[string][]byte `json:"profiles,omitempty"` // profile.proto, gzipped, in base64 as JSON has bytes
	Error     string            `json:"error,omitempty"`
}

// recorder takes the profiles of this process between two questions. One goroutine uses it; its zero value is at rest.
type recorder struct {
	cpu     bytes.Buffer
	running bool
}

// answer does what a question asks; false where it is none about profiles.
func (r *recorder) answer(question []byte) (line []byte, ours bool) {
	var a profileAnswer
	var err error
	switch string(bytes.TrimSpace(question)) {
	case askBegin:
		err = r.begin()
	case askEnd:
		a.Profiles, err = r.end()
	default:
		return nil, false
	}
	if a.Profiling = r.running; err != nil {
		a.Error = err.Error()
	}
	if line, err = json.Marshal(a); err != nil {
		panic("coreserver: an answer is made of values that JSON has: " + err.Error())
	}
	return line, true
}

func (r *recorder) begin() error {
	if r.running {
		return errors.New("the profiles have begun before")
	}
	r.cpu.Reset()
	if err := pprof.StartCPUProfile(&r.cpu); err != nil {
		return err
	}
	runtime.SetBlockProfileRate(blockRate)
	runtime.SetMutexProfileFraction(mutexFraction)
	r.running = true
	return nil
}

func (r *recorder) end() (map[string][]byte, error) {
	if !r.running {
		return nil, errors.New("no profiles have begun: ask " + askBegin + " first")
	}
	all := map[string][]byte{}
	for _, p := range namedProfiles {
		var b bytes.Buffer
		if p.lookup == "heap" {
			r.stop() // what follows is no load
			runtime.GC()
		}
		if err := pprof.Lookup(p.lookup).WriteTo(&b, 0); err != nil {
			return nil, err
		}
		all[p.kind] = b.Bytes()
	}
	all["go-cpu"] = bytes.Clone(r.cpu.Bytes())
	return all, nil
}

// stop ends the sampling, if it goes on.
func (r *recorder) stop() {
	if !r.running {
		return
	}
	r.running = false
	pprof.StopCPUProfile()
	runtime.SetBlockProfileRate(0)
	runtime.SetMutexProfileFraction(0)
}
