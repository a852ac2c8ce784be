package probe

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// served is what belongs to the server: its processes, by the names of their programs. A recording looks at it when it begins and
// when it ends, and what was started and ended in between is told by perf.
type served struct {
	proc     Proc
	programs map[int]string // by pid
	program  string         // path of the first process's
}

func newServed(p Proc) *served { return &served{proc: p, programs: make(map[int]string)} }

// look takes in the processes that there are.
func (s *served) look(pids []int) {
	for _, pid := range pids {
		dir := filepath.Join(s.proc.dir, strconv.Itoa(pid))
		if name := programName(firstLine(filepath.Join(dir, "comm"))); name != "" {
			s.programs[pid] = name
		}
		if path, err := os.Readlink(filepath.Join(dir, "exe")); err == nil && s.program == "" {
			s.program = path
		}
	}
}

// list returns its processes, ascending.
func (s *served) list() []int { return slices.Sorted(maps.Keys(s.programs)) }

// fork takes in a process that one of the server's started.
func (s *served) fork(pid, parent int) {
	if name, ours := s.programs[parent]; ours && s.programs[pid] == "" {
		s.programs[pid] = name
	}
}

// named takes in that a process bears that name: it executed another program.
func (s *served) named(pid int, name string) {
	if _, ours := s.programs[pid]; ours && name != "" {
		s.programs[pid] = programName(name)
	}
}

// programName makes a name of a process fit for a frame: it has no characters that would end one.
func programName(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == ';' || r == '\x7f' {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
}
