package target

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Bounds of what a core answers about itself.
const (
	maxAnswer     = 64 << 20         // bytes of an answer, which is one line
	profilesBound = 10 * time.Second // for all profiles, where the context has no deadline
)

// The questions about profiles on --stats-fd, see cmd/coreserver.
const (
	askProfileBegin = "profile begin"
	askProfileEnd   = "profile end"
)

// profileAnswer is what coreserver answers to both.
type profileAnswer struct {
	Profiling *bool             `json:"profiling"` // nil: it took the question for one about figures
	Profiles  map[string][]byte `json:"profiles"`
	Error     string            `json:"error"`
}

// BeginProfiles makes a core of ours take Go's own profiles of itself until EndProfiles, which slows it. It is an error on
// anything but a core that was started with Options.Stats.
func (p *Process) BeginProfiles(ctx context.Context) error {
	_, err := p.askProfiles(ctx, askProfileBegin)
	return err
}

// EndProfiles ends what BeginProfiles began, and returns the profiles by the names of their kinds in a record, each a file in
// the format of profile.proto, gzipped: CPU, blocking and locks of the time in between, goroutines of its end, the heap of
// the server's life. They are the caller's.
func (p *Process) EndProfiles(ctx context.Context) (map[string][]byte, error) {
	a, err := p.askProfiles(ctx, askProfileEnd)
	return a.Profiles, err
}

func (p *Process) askProfiles(ctx context.Context, question string) (a profileAnswer, err error) {
	ctx, cancel := context.WithTimeout(ctx, profilesBound)
	defer cancel()
	line, err := p.ask(ctx, question)
	if err == nil {
		err = json.Unmarshal(line, &a)
	}
	switch {
	case err != nil:
	case a.Error != "":
		err = errors.New(a.Error)
	case a.Profiling == nil:
		err = errors.New("this coreserver is of a time before it could; profile one that is built from here")
	}
	if err != nil {
		return profileAnswer{}, fmt.Errorf("ask %s for its own profiles: %w", p.spec.Name, err)
	}
	return a, nil
}
