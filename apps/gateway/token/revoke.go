package token

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// Trust is what a Verifier believes in: keys, and what is revoked among what they signed. It is never changed; what changes
// is which one an [Anchor] holds.
type Trust struct {
	Keys    *Keyring
	Revoked *Revocations // nil for none
}

// Anchor holds the Trust of a process. Whoever rotates keys or revokes tokens stores a new one, from any goroutine; each
// Verifier takes it over at its next token, and looks again at those that it has cached as they come: a token whose key is
// still there and that is not revoked needs no new verification.
type Anchor struct{ atomic.Pointer[Trust] }

// NewAnchor returns an Anchor that holds t.
func NewAnchor(t *Trust) *Anchor {
	a := new(Anchor)
	a.Store(t)
	return a
}

// Revocations are tokens that are accepted no longer, though they have not expired. They are never changed.
type Revocations struct {
	ids      map[string]struct{}
	subjects map[string]int64 // what was issued before this time
}

// maxRevocations bounds a list.
const maxRevocations = 1_000_000

// ParseRevocations reads a list of revocations, one a line, in which # begins a comment line:
//
//	jti 5f1c…                          the token of this ID
//	sub alice                          all tokens of this subject, for good
//	sub alice 2026-11-22T12:00:00Z     those issued before then, and those that do not say when
//
// An error names the line.
func ParseRevocations(b []byte) (*Revocations, error) {
	r := &Revocations{make(map[string]struct{}), make(map[string]int64)}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if len(r.ids)+len(r.subjects) == maxRevocations {
			return nil, fmt.Errorf("line %d: at most %d revocations are taken", n, maxRevocations)
		}
		if err := r.add(strings.Fields(line)); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("revocations: %w", err)
	}
	return r, nil
}

func (r *Revocations) add(words []string) error {
	switch {
	case words[0] == "jti" && len(words) == 2:
		r.ids[words[1]] = struct{}{}
	case words[0] == "sub" && len(words) == 2:
		r.subjects[words[1]] = maxTime
	case words[0] == "sub" && len(words) == 3:
		at, err := time.Parse(time.RFC3339, words[2])
		if err != nil {
			return err
		}
		r.subjects[words[1]] = max(r.subjects[words[1]], at.UnixNano())
	default:
		return fmt.Errorf("%q is neither jti ID nor sub SUBJECT [TIME]", strings.Join(words, " "))
	}
	return nil
}

// cover reports whether a token is revoked. issued is 0 where it does not say when.
func (r *Revocations) cover(id, subject []byte, issued int64) bool {
	if r == nil {
		return false
	}
	if len(r.ids) > 0 && len(id) > 0 {
		if _, found := r.ids[string(id)]; found {
			return true
		}
	}
	if len(r.subjects) > 0 {
		if before, found := r.subjects[string(subject)]; found {
			return issued < before
		}
	}
	return false
}
