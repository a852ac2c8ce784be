package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"

	shellquote "github.com/kballard/go-shellquote"

	"corelab/results"
)

// serverCode is what coreserver is made of: commits that touch nothing of it leave the binary as it was.
var serverCode = []string{"cmd/coreserver", "servers", "httpcore", "apps", "go.mod", "go.sum"}

// hashForm is a commit as a record names it. It goes to git's command line, so it must be nothing else.
var hashForm = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

// defaultCore serves a revision of which no core is named.
const defaultCore = "reactor"

// findSuspects adds to each step the commits that may have made it, as the repository of the current folder knows them, and
// the command that tells.
func findSuspects(ctx context.Context, h *results.History) {
	known := map[string]suspects{}
	for _, l := range h.Lines {
		for _, steps := range [][]results.HistoryStep{l.Steps, l.Creeps} {
			for i := range steps {
				s := &steps[i]
				if s.Flag == results.HistoryOnce || s.OldCommit == s.NewCommit {
					continue
				}
				key := l.Kind + " " + s.OldCommit + " " + s.NewCommit
				if _, asked := known[key]; !asked {
					known[key] = askGit(ctx, l.Kind, s.OldCommit, s.NewCommit)
				}
				found := known[key]
				s.Suspects, s.Note = found.commits, found.note
				s.Compare = compareCommand(l, s, found.there)
			}
		}
	}
}

// suspects are the commits between two.
type suspects struct {
	commits []results.HistoryCommit
	note    string
	there   bool // the repository has both
}

func askGit(ctx context.Context, kind, before, after string) suspects {
	for _, commit := range []string{before, after} {
		switch {
		case commit == "":
			return suspects{note: "one of the runs does not say of which commit it is: the suspects are not known"}
		case !hashForm.MatchString(commit):
			return suspects{note: fmt.Sprintf("%q is no commit: the suspects are not known", commit)}
		}
		if _, err := gitHere(ctx, "cat-file", "-e", commit+"^{commit}"); err != nil {
			return suspects{note: fmt.Sprintf("the repository of this folder does not have commit %s, or there is none: the suspects are not known here", commit)}
		}
	}
	span := before + ".." + after
	all, err := logOf(ctx, span)
	if err != nil {
		return suspects{note: err.Error(), there: true}
	}
	found := suspects{commits: all, there: true}
	if kind == "core" && len(all) > 1 {
		touching, err := logOf(ctx, span, serverCode...)
		switch n := len(all) - len(touching); {
		case err != nil:
			found.note = err.Error()
		case len(touching) == 0:
			found.commits = nil
			found.note = fmt.Sprintf("none of the %d commits between them touches what coreserver is made of: it was the lab, or the machine", len(all))
		case n > 0:
			found.commits = touching
			found.note = fmt.Sprintf("%s between them touch nothing that coreserver is made of: git log %s", plural(uint64(n), "other commit"), span)
		}
	}
	if _, err := gitHere(ctx, "merge-base", "--is-ancestor", before, after); err != nil {
		found.note = strings.TrimPrefix(found.note+fmt.Sprintf("; %s is not built upon %s: what only the older one has may be the cause as well, git log %s..%s", after, before, after, before), "; ")
	}
	return found
}

// logOf lists the commits of a span that touch any of the paths, the newest first.
func logOf(ctx context.Context, span string, paths ...string) ([]results.HistoryCommit, error) {
	out, err := gitHere(ctx, append([]string{"log", "--format=%h%x09%s", "--abbrev=12", span, "--"}, paths...)...)
	if err != nil {
		return nil, fmt.Errorf("the suspects are not known: %w", err)
	}
	var commits []results.HistoryCommit
	for line := range strings.Lines(out) {
		hash, subject, _ := strings.Cut(strings.TrimSpace(line), "\t")
		commits = append(commits, results.HistoryCommit{Hash: hash, Subject: subject})
	}
	return commits, nil
}

// gitHere asks the repository of the current folder.
func gitHere(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, gitBound)
	defer cancel()
	out, err := exec.CommandContext(ctx, "git", args...).Output()
	if ctx.Err() != nil {
		err = fmt.Errorf("it took longer than %v", gitBound)
	}
	if failed, ok := errors.AsType[*exec.ExitError](err); ok && len(failed.Stderr) > 0 {
		err = errors.New(strings.TrimSpace(string(failed.Stderr)))
	}
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return string(out), nil
}

// compareCommand is what to type to hold the two commits of a step against each other, or "" where that cannot be done.
func compareCommand(l *results.HistoryLine, s *results.HistoryStep, there bool) string {
	if !there || l.Kind != "core" || s.OldDirty || s.NewDirty {
		return ""
	}
	core, flags, _ := strings.Cut(l.Target, " ")
	revision := func(commit string) string {
		t := "git:" + commit
		if core != defaultCore {
			t += ":" + core
		}
		return strings.TrimSpace(t + " " + flags)
	}
	a, b := revision(s.OldCommit), revision(s.NewCommit)
	if l.Shape.Loop != results.LoopClosed { // compare has closed loops only
		words := []string{"corelab", "bench", l.Shape.Scenario, "--cores", results.ReferenceTarget, "--target", a, "--target", b}
		if l.Shape.Case != "" {
			words = append(words, "--case", l.Shape.Case)
		}
		return shellquote.Join(words...)
	}
	words := []string{"corelab", "compare", a, b}
	scenario := l.Shape.Scenario
	if l.Shape.Case != "" {
		scenario += ":" + l.Shape.Case
	}
	if scenario != "plaintext" {
		words = append(words, "--scenario", scenario)
	}
	return shellquote.Join(words...)
}
