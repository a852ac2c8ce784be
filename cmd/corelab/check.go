package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"corelab/runner/conform"
	"corelab/runner/target"
)

// CheckCmd holds servers against HTTP/1.1.
type CheckCmd struct {
	Servers []string `arg:"" optional:"" name:"target|url" help:"What is checked: a core, a peer, your own server ('mine=./server --port {port}'), or the URL of one that runs: http://host:port/path."`

	Path     string        `placeholder:"PATH" help:"A path that answers GET with 200 and content, on all that are checked; otherwise the URL's, / of a core, /plaintext of a peer."`
	Echo     string        `placeholder:"PATH" help:"A path that answers POST with 200 and the posted content; without one, received content is not compared."`
	Fields   string        `placeholder:"PATH" help:"A path that answers with the fields it received, Name: value, one a line."`
	Category []string      `placeholder:"NAME" help:"Only these categories, or cases of these files; may be repeated."`
	Case     []string      `placeholder:"ID" help:"Only these cases, and print the whole conversation of each; may be repeated."`
	Patience time.Duration `default:"2s" help:"How long to wait for each answer, and for each close."`
	AtOnce   int           `default:"16" help:"Cases at a time, each on a connection of its own."`
	List     bool          `help:"List all checks with their sections, and check nothing."`
	JSON     bool          `help:"Print as JSON; see below."`
	Markdown bool          `help:"Print as a page of Markdown."`

	Coreserver   string        `placeholder:"PATH" help:"The coreserver binary; otherwise the one next to this program."`
	ReadyTimeout time.Duration `default:"10s" help:"How long a server may take until it accepts."`
}

// Help says what the levels mean, and what the JSON.
func (c *CheckCmd) Help() string {
	return `Sends well-formed, unusual, broken and hostile messages on connections of its own, and judges each byte that comes back, by RFC 9110 and RFC 9112. Each check is a MUST or a SHOULD of a section; "corelab check --list" shows all. A check that says nothing about a server, because it lacks what the check is about, is not applicable: it is counted apart, with the reason.

Behind each malformed message stands a second one. Where the first is refused, the second must stay unanswered: a check of its own, ID+second. What every answer must be (Date, exact content, none to HEAD, …) is one check for each rule, over all answers, in category responses.

Cores are started with the app probe, peers with the lab's configuration; a server that is given by its URL must have a path that answers GET with 200 (--path). It should allow itself no less than 16 connections.

--json prints one line: an array with an object for each server: server, path, echo, fields, must, should (passed, applicable), not_applicable, categories (name, must, should, not_applicable), and checks. Each check has id, category, section, level (MUST, SHOULD), why, verdict (pass, fail, "not applicable"), reason (what came, or why it is not applicable), and of what failed expected, sent and came: bytes escaped, and shortened.

Exit codes: 0 no MUST failed; 3 one did; 1 an error.

Examples:
  corelab check reactor nginx
  corelab check http://127.0.0.1:8080/index.html --echo /post
  corelab check 'mine=./server --port {port}' --category chunked
  corelab check epoll --case chunked/size-overflow`
}

const (
	// quietFor is how long nothing is said of how far a check is.
	quietFor = 2 * time.Second
	// showEvery is the time between two looks at it on a terminal, and sayEvery elsewhere.
	showEvery, sayEvery = 200 * time.Millisecond, 15 * time.Second
)

// stopGrace is how long a server that was started may take to end.
const stopGrace = 2 * time.Second

// Run checks, and reports.
func (c *CheckCmd) Run() error { return interruptible(c.check) }

func (c *CheckCmd) check(ctx context.Context) error {
	cases, err := c.cases()
	if err != nil {
		return err
	}
	if c.List {
		if c.JSON {
			return json.NewEncoder(os.Stdout).Encode(cases)
		}
		return conform.WriteList(os.Stdout, cases, c.Markdown)
	}
	if len(c.Servers) == 0 {
		return exitError{exitUsage, "say what to check: corelab check http://127.0.0.1:8080/, or corelab check reactor"}
	}
	var reports []*conform.Report
	for _, name := range c.Servers {
		r, err := c.one(ctx, name, cases)
		if ctx.Err() != nil {
			return c.interrupted(reports)
		}
		if err != nil {
			return err
		}
		reports = append(reports, r)
	}
	if err := c.print(reports); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return conforms(reports)
}

// interrupted prints what there is of servers that were checked to the end.
func (c *CheckCmd) interrupted(reports []*conform.Report) error {
	if len(reports) == 0 {
		return exitError{exitInterrupted, "interrupted before any server was checked to the end"}
	}
	if err := c.print(reports); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return exitError{exitInterrupted, "interrupted: the report is of the servers that were checked to the end"}
}

// conforms is the error of servers that fail a MUST.
func conforms(reports []*conform.Report) error {
	var failing []string
	for _, r := range reports {
		if n := len(r.Failed(conform.Must)); n > 0 {
			failing = append(failing, fmt.Sprintf("%s fails %d MUST", r.Server, n))
		}
	}
	if len(failing) > 0 {
		return exitError{exitWrong, strings.Join(failing, ", ")}
	}
	return nil
}

// cases are those asked for.
func (c *CheckCmd) cases() ([]conform.Case, error) {
	all, err := conform.Load()
	if err != nil {
		return nil, err
	}
	if len(c.Category)+len(c.Case) == 0 {
		return all, nil
	}
	used := map[string]bool{}
	var chosen []conform.Case
	for _, k := range all {
		file, _, _ := strings.Cut(k.ID, "/")
		for _, ask := range slices.Concat(c.Category, c.Case) {
			id := strings.TrimSuffix(ask, "+second")
			if slices.Contains(c.Category, ask) && (strings.EqualFold(ask, k.Category) || ask == file) || slices.Contains(c.Case, ask) && id == k.ID {
				if used[ask] = true; len(chosen) == 0 || chosen[len(chosen)-1].ID != k.ID {
					chosen = append(chosen, k)
				}
			}
		}
	}
	for _, ask := range c.Case {
		if !used[ask] {
			return nil, exitError{exitUsage, fmt.Sprintf("there is no case %q; \"corelab check --list\" shows all", ask)}
		}
	}
	for _, ask := range c.Category {
		if !used[ask] {
			return nil, exitError{exitUsage, fmt.Sprintf("there is no category %q; there are %s", ask, strings.Join(conform.Categories, ", "))}
		}
	}
	return chosen, nil
}

// one checks one server, and starts it where it is no URL.
func (c *CheckCmd) one(ctx context.Context, name string, cases []conform.Case) (r *conform.Report, err error) {
	if strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://") {
		server, err := c.running(name)
		if err != nil {
			return nil, err
		}
		return c.play(ctx, server, cases)
	}
	spec, server, err := c.target(ctx, name)
	if err != nil {
		return nil, err
	}
	p, err := target.Start(ctx, spec, target.Options{Workers: 2, ReadyTimeout: c.ReadyTimeout})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Stop(stopGrace)) }()
	server.Addr = p.Addr()
	if r, err = c.play(ctx, server, cases); err != nil {
		return nil, errors.Join(err, p.Err())
	}
	return r, p.Err()
}

// running is a server that was started by others.
func (c *CheckCmd) running(text string) (conform.Server, error) {
	u, err := url.Parse(text)
	if err != nil {
		return conform.Server{}, fmt.Errorf("check %q: %w", text, err)
	}
	if u.Scheme != "http" || u.Hostname() == "" {
		return conform.Server{}, exitError{exitUsage, fmt.Sprintf("check %q: write it like http://host:port/path; there is no TLS here", text)}
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	s := conform.Server{Name: u.Host, Addr: net.JoinHostPort(u.Hostname(), port), Host: u.Host}
	c.paths(&s, u.RequestURI(), "")
	return s, nil
}

// paths sets what was asked for, or else the given ones.
func (c *CheckCmd) paths(s *conform.Server, path, echo string) {
	s.Path, s.Echo, s.Fields = path, echo, c.Fields
	if c.Path != "" {
		s.Path = c.Path
	}
	if c.Echo != "" {
		s.Echo = c.Echo
	}
}

// target is a server that the lab starts.
func (c *CheckCmd) target(ctx context.Context, name string) (target.Spec, conform.Server, error) {
	env, err := newEnv(ctx, c.Coreserver)
	if err != nil {
		return target.Spec{}, conform.Server{}, err
	}
	spec, err := target.ParseContext(ctx, name, env)
	if err != nil {
		return spec, conform.Server{}, err
	}
	s := conform.Server{Name: spec.Name, Lacks: spec.LacksFeature}
	switch spec.Kind {
	case target.KindCore:
		if !slices.ContainsFunc(spec.Flags, func(f string) bool { return f == "--app" || strings.HasPrefix(f, "--app=") }) {
			spec.Flags = append(slices.Clone(spec.Flags), "--app", "probe")
			c.paths(&s, "/", "/")
			s.Probe = true
			if s.Fields == "" {
				s.Fields = "/echo"
			}
			break
		}
		c.paths(&s, "/plaintext", "")
	case target.KindPeer:
		echo := ""
		if spec.Lacks("POST", "/echo") == "" {
			echo = "/echo"
		}
		c.paths(&s, "/plaintext", echo)
	default:
		c.paths(&s, "/", "")
	}
	return spec, s, nil
}

// play runs the cases, and shows how far it is where it takes a while.
func (c *CheckCmd) play(ctx context.Context, s conform.Server, cases []conform.Case) (*conform.Report, error) {
	o := conform.Options{AtOnce: c.AtOnce, Patience: c.Patience}
	next, every, end := time.Now().Add(quietFor), sayEvery, "\n"
	if term.IsTerminal(int(os.Stderr.Fd())) {
		every, end = showEvery, "\r"
		defer fmt.Fprint(os.Stderr, "\x1b[K")
	} else {
		next = next.Add(sayEvery)
	}
	o.Progress = func(done, total int) {
		if now := time.Now(); now.After(next) {
			next = now.Add(every)
			fmt.Fprintf(os.Stderr, "%s: %d of %d cases%s", s.Name, done, total, end)
		}
	}
	return conform.Run(ctx, s, cases, o)
}

// print writes the reports as asked.
func (c *CheckCmd) print(reports []*conform.Report) error {
	switch {
	case c.JSON:
		return conform.WriteJSON(os.Stdout, reports)
	case c.Markdown:
		return conform.WriteMarkdown(os.Stdout, reports)
	case len(c.Case) == 0:
		return conform.WriteText(os.Stdout, reports)
	}
	for _, r := range reports {
		for _, check := range r.Checks {
			if check.Conversation != nil || check.Verdict == conform.Inapplicable && check.Category != "responses" {
				if err := conform.WriteConversation(os.Stdout, r.Server, check); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
