package conform

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	// AtOnce is how many cases are played at a time, each on a connection of its own.
	AtOnce = 16
	// DefaultPatience bounds each wait: for an answer, for a close that must come, for what must not come.
	DefaultPatience = 2 * time.Second
)

// Server is what is tested.
type Server struct {
	Name   string // of the column
	Addr   string // host:port to connect to
	Host   string // the authority in Host; empty: Addr
	Path   string // answers GET with 200 and content; empty: /
	Echo   string // answers POST with 200 and the posted content; empty: there is none
	Fields string // answers the fields it received, "Name: value", one a line; empty: there is none
	Probe  bool   // it serves the app probe: / has validators, and methods other than GET, HEAD, POST and OPTIONS get 405
	// Lacks returns why the server cannot do a feature, or ""; nil: it can do all.
	Lacks func(feature string) string
}

func (s *Server) host() string {
	if s.Host != "" {
		return s.Host
	}
	return s.Addr
}

func (s *Server) post() string {
	if s.Echo != "" {
		return s.Echo
	}
	return s.Path
}

// ordinary is the request that every server answers.
func (s *Server) ordinary() string {
	return "GET " + s.Path + " HTTP/1.1\r\nHost: " + s.host() + "\r\n\r\n"
}

// lacks returns why the case says nothing about the server, or "".
func (s *Server) lacks(c *Case) string {
	for _, f := range append([]string{"parsing"}, c.Needs...) {
		switch {
		case f == FeatureEcho && s.Echo == "":
			return "it needs a path that echoes what is posted"
		case f == FeatureFields && s.Fields == "":
			return "it needs a path that answers the fields it received"
		case f == FeatureProbe && !s.Probe:
			return "it needs the app probe"
		case s.Lacks != nil && s.Lacks(f) != "":
			return "no " + f + ": " + s.Lacks(f)
		}
	}
	return ""
}

// Options say how a suite is run.
type Options struct {
	AtOnce   int                   // cases at a time; 0: AtOnce
	Patience time.Duration         // 0: DefaultPatience
	Progress func(done, total int) // is told after each case, from any goroutine, one at a time; nil: nothing is said
}

// Run plays the cases against the server and judges it. The error is of what kept them from being played: a server that does not
// answer the ordinary request, or the end of ctx.
func Run(ctx context.Context, server Server, cases []Case, o Options) (*Report, error) {
	if server.Path == "" {
		server.Path = "/"
	}
	if o.Patience <= 0 {
		o.Patience = DefaultPatience
	}
	if o.AtOnce <= 0 {
		o.AtOnce = AtOnce
	}
	if server.Lacks != nil && server.Lacks("concurrency") != "" {
		o.AtOnce = 1
	}
	p := &player{ctx, &server, o.Patience}
	if err := p.try(); err != nil {
		return nil, err
	}
	outcomes := make([]*outcome, len(cases))
	var group sync.WaitGroup
	turns := make(chan struct{}, o.AtOnce)
	var mu sync.Mutex
	done := 0
	for i := range cases {
		turns <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		group.Go(func() {
			defer func() { <-turns }()
			if why := server.lacks(&cases[i]); why != "" {
				outcomes[i] = &outcome{err: inapplicable(why), second: inapplicable(why)}
			} else {
				outcomes[i] = p.play(&cases[i])
			}
			mu.Lock()
			defer mu.Unlock()
			if done++; o.Progress != nil {
				o.Progress(done, len(cases))
			}
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return newReport(&server, cases, outcomes), nil
}

// try asks for the ordinary answer before anything else.
func (p *player) try() error {
	t := &talk{player: p, outcome: &outcome{}}
	err := t.alive()
	if err == nil {
		return nil
	}
	if p.ctx.Err() != nil {
		return context.Cause(p.ctx)
	}
	text := strings.TrimPrefix(err.Error(), "a request on a new connection: ")
	return fmt.Errorf("check %s: GET %s is not answered with 200: %w; name a path that is with --path", p.server.Name, p.server.Path, errors.New(text))
}
