package web

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"corelab/results"
)

// maxRuns bounds the list: of more folders the first in the order of their names are left out, which are the oldest.
const maxRuns = 2000

// Run is one folder in the list.
type Run struct {
	ID      string       // its path below the folder of runs, with slashes; of a folder that is a run itself, its name
	Broken  string       // why it cannot be read; then there is no Head
	Head    *results.Run // its first line
	Trials  int
	End     *results.End // nil: it still goes on, or was killed
	Going   bool         // a process is writing it now
	Size    int64
	Written time.Time // last
	path    string    // below the folder of runs
}

// runs is the folder of runs. It is safe for concurrent use.
type runs struct {
	root *os.Root
	dir  string
	max  int64 // bytes of a record

	mu   sync.Mutex
	seen map[string]*glance // by path
}

// glance is what is known of a record: it is read once, and then what is added to it.
type glance struct {
	info   fs.FileInfo
	follow *results.Follower
	run    Run
}

// list returns the runs, the newest first, and the names of folders that hold none. The Heads are not to be changed.
func (r *runs) list() (found []Run, foreign []string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	places, foreign, err := r.places()
	if err != nil {
		return nil, nil, fmt.Errorf("web: list the runs: %w", err)
	}
	known := map[string]*glance{}
	for _, place := range places {
		g := r.look(place)
		known[place] = g
		found = append(found, g.run)
	}
	r.seen = known
	slices.SortStableFunc(found, func(a, b Run) int { return cmp.Or(b.began().Compare(a.began()), cmp.Compare(a.ID, b.ID)) })
	return found, foreign, nil
}

// find returns the run of that ID.
func (r *runs) find(id string) (Run, bool) {
	found, _, err := r.list()
	at := slices.IndexFunc(found, func(run Run) bool { return run.ID == id })
	if err != nil || at < 0 {
		return Run{}, false
	}
	return found[at], true
}

// began is when the run was started, or where that is not known when something was last written.
func (r *Run) began() time.Time {
	if r.Head != nil {
		return r.Head.Started
	}
	return r.Written
}

// places are the folders with a record, at most two levels down, and the names of those at the first level without any. Links
// are passed over: "latest" is one of the others.
func (r *runs) places() (places, foreign []string, err error) {
	if r.holdsRecord(".") {
		return []string{"."}, nil, nil
	}
	first, err := r.folders(".")
	if err != nil {
		return nil, nil, err
	}
	for _, name := range first {
		if r.holdsRecord(name) {
			places = append(places, name)
			continue
		}
		second, err := r.folders(name)
		if err != nil {
			foreign = append(foreign, name+": "+plain(err))
			continue
		}
		empty := true
		for _, below := range second {
			if place := path.Join(name, below); r.holdsRecord(place) {
				places, empty = append(places, place), false
			}
		}
		if empty {
			foreign = append(foreign, name+": no "+results.RunFile+" in it, nor in a folder in it")
		}
	}
	if more := len(places) - maxRuns; more > 0 {
		slices.Sort(places)
		foreign = append(foreign, fmt.Sprintf("%d more runs: at most %d are listed", more, maxRuns))
		places = places[more:]
	}
	return places, foreign, nil
}

// folders are the names of the folders in one, in order.
func (r *runs) folders(in string) ([]string, error) {
	entries, err := fs.ReadDir(r.root.FS(), in)
	var names []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// holdsRecord reports whether there is something called like a record: if that is no file, it is a broken run.
func (r *runs) holdsRecord(place string) bool {
	_, err := r.root.Lstat(filepath.Join(place, results.RunFile))
	return err == nil
}

// look returns what is known of the record now.
func (r *runs) look(place string) *glance {
	id := place
	if place == "." {
		id = filepath.Base(r.dir)
	}
	file, info, err := openRecord(r.root, place, r.max)
	if err != nil {
		return &glance{run: Run{ID: id, Broken: plain(err), path: place}}
	}
	defer file.Close()
	g := r.seen[place]
	same := g != nil && g.info != nil && os.SameFile(g.info, info) && g.info.Size() <= info.Size()
	if same && g.run.Broken != "" && g.info.Size() == info.Size() && g.info.ModTime().Equal(info.ModTime()) {
		return g
	}
	if !same || g.run.Broken != "" {
		g = &glance{follow: results.FollowCounting(place)}
	}
	g.info = info
	_, err = g.follow.Next(file, info.Size())
	g.run = Run{ID: id, Trials: g.follow.Trials(), Size: info.Size(), Written: info.ModTime(), path: place}
	rec := g.follow.Record()
	switch {
	case err != nil:
		g.run.Broken = plain(err)
	case rec == nil:
		g.run.Broken = "the record has no whole first line yet"
	default:
		g.run.Head, g.run.End = &rec.Run, rec.End
		g.run.Going = rec.End == nil && results.BeingWritten(file)
	}
	return g
}

// openRecord opens the record of the run in a folder below root, if it is a file of at most max bytes.
func openRecord(root *os.Root, place string, max int64) (*os.File, fs.FileInfo, error) {
	name := filepath.Join(place, results.RunFile)
	// Asked first: opening a pipe that nobody writes to would wait for ever.
	info, err := root.Lstat(name)
	if err != nil {
		return nil, nil, fmt.Errorf("web: open a record: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("web: %s is no file of its own", name)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, nil, fmt.Errorf("web: open a record: %w", err)
	}
	if info, err = f.Stat(); err == nil && info.Size() > max {
		err = fmt.Errorf("web: %s has %.1f MiB, and no more than %d are read; \"corelab report RUN --format slim\" makes a smaller record of it", name, float64(info.Size())/(1<<20), max>>20)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// plain is an error for people, who do not care which package it comes from, and need not learn where on this machine a file
// lies.
func plain(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Op + " " + path.Base(e.Path) + ": " + e.Err.Error()
	}
	text := err.Error()
	for _, prefix := range []string{"web: ", "results: ", "stacks: ", "page: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return text
}
