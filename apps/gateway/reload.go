package gateway

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// watchEvery is how often the configuration's file is looked at.
const watchEvery = 500 * time.Millisecond

// Open returns a gateway of the configuration in a file, which Reload reads again.
func Open(path string) (*Gateway, error) {
	stamp := stampOf(path) // before it is read: what changes from here on is a change
	g, err := New(ReadFile(path))
	if err != nil {
		return nil, err
	}
	g.path, g.stamp = path, stamp
	return g, nil
}

// errNoFile says that there is nothing to read again.
var errNoFile = errors.New("the configuration came from no file")

// Reload reads the configuration's file and takes it over. If anything is wrong, the one in force stays.
func (g *Gateway) Reload() error {
	if g.path == "" {
		g.refused.Add(1)
		return errNoFile
	}
	return g.Take(ReadFile(g.path))
}

// Watch reloads whenever the file has changed and stayed as it is for one look, until ctx ends. Each time it tells how it
// went. A file that was half written is refused, and looked at again when it changes on.
func (g *Gateway) Watch(ctx context.Context, told func(err error)) {
	last := g.stamp
	changed := false
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch now := stampOf(g.path); {
		case now != last:
			last, changed = now, true
		case changed:
			changed = false
			told(g.Reload())
		}
	}
}

// stampOf is what tells one state of a file from another: editors write in place or put a new file there.
func stampOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(info.ModTime().UnixNano(), info.Size(), inode(info))
}

// Describe says what is in force, in one line.
func (g *Gateway) Describe() string {
	sn := g.snapshot.Load()
	return fmt.Sprintf("configuration %d: %d routes, %d upstreams", sn.number, len(sn.Routes), len(sn.Upstreams))
}
