package web

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"corelab/results"
)

// serveRun serves all that lies below a run. Its ID, which may have a slash itself, is looked up in the list, and so is what
// follows it; what a URL says is never part of a path in the file system.
func (s *Site) serveRun(w http.ResponseWriter, r *http.Request) {
	run, rest, ok := s.findRun(r.PathValue("path"))
	switch {
	case !ok:
		s.fail(w, http.StatusNotFound, "There is no such run here. Its folder may have been removed or renamed since the page that led here was made.")
	case rest == "":
		s.serveReport(w, r, run)
	case rest == "live":
		s.serveLive(w, run)
	case rest == "events":
		s.serveEvents(w, r, "run "+run.ID, s.watchRun(run))
	default:
		s.serveProfile(w, r, run, rest)
	}
}

// findRun finds the run whose ID a path begins with, and returns what follows it.
func (s *Site) findRun(path string) (run Run, rest string, ok bool) {
	all, _, err := s.runs.list()
	if err != nil {
		return Run{}, "", false
	}
	for _, run := range all {
		if rest, ok := strings.CutPrefix(path+"/", run.ID+"/"); ok {
			return run, strings.TrimSuffix(rest, "/"), true
		}
	}
	return Run{}, "", false
}

// maxProfile bounds the profile that is served, in bytes.
const maxProfile = 64 << 20

// serveProfile answers with a profile that the record names, for "go tool pprof".
func (s *Site) serveProfile(w http.ResponseWriter, r *http.Request, run Run, path string) {
	k, err := s.records.get(s.dir, run)
	if err != nil {
		s.failRecord(w, run, err)
		return
	}
	if !hasProfile(k.rec, path) || !filepath.IsLocal(path) {
		s.fail(w, http.StatusNotFound, "The run "+run.ID+" has no such page, and its record names no such profile.")
		return
	}
	f, info, err := s.openFile(filepath.Join(run.path, filepath.FromSlash(path)))
	if err != nil {
		s.fail(w, http.StatusNotFound, "The profile cannot be read: "+plain(err))
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", "attachment")
	http.ServeContent(w, r, "", info.ModTime(), f)
}

// hasProfile reports whether a trial of the record has a profile of that path.
func hasProfile(rec *results.Record, path string) bool {
	for i := range rec.Trials {
		for _, p := range rec.Trials[i].Profiles {
			if p.Path == path {
				return true
			}
		}
	}
	return false
}

// openFile opens a file below the folder of runs; links lead nowhere else.
func (s *Site) openFile(name string) (*os.File, fs.FileInfo, error) {
	info, err := s.root.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxProfile {
		return nil, nil, fmt.Errorf("web: %s is no file of at most %d MiB", filepath.Base(name), maxProfile>>20)
	}
	f, err := s.root.Open(name)
	return f, info, err
}

// failRecord says why a record cannot be read.
func (s *Site) failRecord(w http.ResponseWriter, run Run, err error) {
	s.fail(w, http.StatusInternalServerError, "The record of "+run.ID+" cannot be read: "+plain(err))
}
