package target

import (
	"bytes"
	"os"
	"slices"
	"time"

	"corelab/runner/probe"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// markVariable is put into the environment of each server, with a value of its own, and so of what it starts. By it a
// descendant is found that has left both its parent and the process group.
const markVariable = "CORELAB_TARGET"

// family finds the processes that a server consists of.
type family struct {
	root int    // also the process group
	mark string // "CORELAB_TARGET=…"
}

// member is one process, known again by the time of its start where its number is used a second time.
type member struct {
	pid     int
	started uint64
}

// members returns what is alive of it: descendants of the root, the process group, and what bears the mark. It reads all
// of /proc, and is not for measured time.
func (f family) members() []member {
	procs, err := procfs.AllProcs()
	if err != nil {
		return nil
	}
	descendants := probe.Tree(f.root)
	var found []member
	for _, proc := range procs {
		stat, err := proc.Stat()
		if err != nil || stat.State == "Z" || stat.State == "X" {
			continue
		}
		if stat.PGRP == f.root || slices.Contains(descendants, stat.PID) || f.marked(stat.PID) {
			found = append(found, member{stat.PID, stat.Starttime})
		}
	}
	return found
}

func (f family) marked(pid int) bool {
	env, err := os.ReadFile("/proc/" + itoa(pid) + "/environ")
	return err == nil && slices.ContainsFunc(bytes.Split(env, []byte{0}), func(v []byte) bool { return string(v) == f.mark })
}

// alive reports whether the very same process still runs.
func (m member) alive() bool {
	proc, err := procfs.NewProc(m.pid)
	if err != nil {
		return false
	}
	stat, err := proc.Stat()
	return err == nil && stat.Starttime == m.started && stat.State != "Z" && stat.State != "X"
}

// killBound bounds the wait for processes that were sent SIGKILL: one that sleeps uninterruptibly in the kernel may stay.
const killBound = 5 * time.Second

// kill ends all members, and what they start meanwhile, and returns those that are still there after killBound.
func (f family) kill() []member {
	for deadline := time.Now().Add(killBound); ; time.Sleep(pollEvery) {
		left := f.members()
		for _, m := range left {
			unix.Kill(m.pid, unix.SIGKILL)
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
	}
}
