package gateway

import (
	"fmt"
	"sort"
	"strings"

	"corelab/httpcore"
)

// TransformRoute is what a route says about transform: routes.N.transform.
type TransformRoute struct {
	Path     *PathRule  `toml:"path"`     // the path that the upstream is asked for
	Request  HeaderRule `toml:"request"`  // field lines on their way to the upstream
	Response HeaderRule `toml:"response"` // field lines on their way to the client
}

// PathRule rewrites a path. The prefix is taken off first, then Add is put before what is left; Replace stands for all of it.
// The query stays.
type PathRule struct {
	Strip   string `toml:"strip"`   // "/api": a path that does not begin with it, up to a slash or its end, stays as it is
	Add     string `toml:"add"`     // "/v2"
	Replace string `toml:"replace"` // "/index"
}

// HeaderRule changes field lines. Names are compared without regard to case.
type HeaderRule struct {
	Set    map[string]string `toml:"set"`    // instead of what is there
	Add    map[string]string `toml:"add"`    // beside what is there
	Remove []string          `toml:"remove"` // whatever is there
}

// maxRules bounds the lines that one rule changes.
const maxRules = 100

// transform changes a request on its way, and what will be said of its answer. What it does is known when the configuration
// is loaded: lines are copied, and names looked at by whoever passes the heads on.
type transform struct {
	strip, add, replace string
	rewrites            bool
	request, response   edit
}

// edit is a HeaderRule, compiled.
type edit struct {
	lines string
	drops []string
}

func (e *edit) apply(to *Edits) {
	for _, d := range e.drops {
		to.Drop(d)
	}
	if e.lines != "" {
		to.AddLines(e.lines)
	}
}

// buildTransform compiles the stage for a route.
func buildTransform(b *Builder, rt *RouteConfig, _ *Upstream, at string) Stage {
	c := rt.Transform
	if c == nil {
		return nil
	}
	at += ".transform"
	t := &transform{request: c.Request.compile(b, at+".request"), response: c.Response.compile(b, at+".response")}
	if p := c.Path; p != nil {
		t.rewrites = true
		t.strip, t.add, t.replace = strings.TrimSuffix(p.Strip, "/"), strings.TrimSuffix(p.Add, "/"), p.Replace
		for _, x := range []struct{ key, value string }{{"strip", p.Strip}, {"add", p.Add}, {"replace", p.Replace}} {
			if x.value != "" && !plainPath(x.value) {
				b.Fault(at+".path."+x.key, "%q is no path: it begins with a slash, and is percent-encoded", x.value)
			}
		}
		if p.Replace != "" && (p.Strip != "" || p.Add != "") {
			b.Fault(at+".path.replace", "replace stands for the whole path: strip and add have nothing to work on")
		}
	}
	return t
}

// ofFraming are the fields that say how a message is framed and for whom its connection is: no rule may touch them.
var ofFraming = []string{"content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "host", "date", "server"}

// compile checks a rule.
func (c *HeaderRule) compile(b *Builder, at string) (e edit) {
	if len(c.Set)+len(c.Add)+len(c.Remove) > maxRules {
		b.Fault(at, "more than %d rules", maxRules)
	}
	name := func(at, name string) {
		switch {
		case !tokenText(name):
			b.Fault(at, "%q is no field name", name)
		case isOneOf(name, ofFraming):
			b.Fault(at, "%s belongs to the connection: no rule may change it", name)
		}
	}
	for i, n := range c.Remove {
		name(fmt.Sprintf("%s.remove.%d", at, i), n)
		e.drops = append(e.drops, n)
	}
	for _, set := range []bool{true, false} {
		key, lines := "add", c.Add
		if set {
			key, lines = "set", c.Set
		}
		names := make([]string, 0, len(lines))
		for n := range lines {
			names = append(names, n)
		}
		sort.Strings(names)
		for _, n := range names {
			at := at + "." + key + "." + n
			name(at, n)
			if !valueText(lines[n]) {
				b.Fault(at, "%q is no field value: it has a control character", lines[n])
			}
			if set {
				e.drops = append(e.drops, n)
			}
			e.lines += n + ": " + strings.TrimSpace(lines[n]) + "\r\n"
		}
	}
	return e
}

func isOneOf(name string, names []string) bool {
	for _, n := range names {
		if strings.EqualFold(name, n) {
			return true
		}
	}
	return false
}

// tokenText reports whether s is a token, RFC 9110 §5.6.2.
func tokenText(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// valueText reports whether s may be a field value, RFC 9110 §5.5.
func valueText(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// plainPath reports whether s is an absolute path as it is sent, without a query.
func plainPath(s string) bool {
	if s[0] != '/' {
		return false
	}
	return new(httpcore.Router).Add(httpcore.Route{Method: "GET", Pattern: strings.NewReplacer("/:", "/x", "/*", "/x").Replace(s)}) == nil
}

// Enter implements Stage.
func (t *transform) Enter(r *Request) Verdict {
	if t.rewrites {
		t.rewrite(r)
	}
	t.request.apply(&r.ToUpstream)
	t.response.apply(&r.ToClient)
	return Next
}

// rewrite leaves the new target in memory of the request.
func (t *transform) rewrite(r *Request) {
	path, target := r.X.Path(), r.target[:0]
	switch {
	case t.replace != "":
		target = append(target, t.replace...)
	default:
		if n := len(t.strip); n > 0 && len(path) >= n && string(path[:n]) == t.strip && (len(path) == n || path[n] == '/') {
			path = path[n:]
		}
		target = append(append(target, t.add...), path...)
		if len(target) == 0 {
			target = append(target, '/')
		}
	}
	if q := r.X.Query(); q != nil {
		target = append(append(target, '?'), q...)
	}
	r.target, r.Target = target, target
}

// Leave implements Stage.
func (*transform) Leave(*Request, *Outcome) {}
