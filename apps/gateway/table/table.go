package table

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"corelab/httpcore"
)

// Fields are the field lines of a request; an *httpcore.Exchange has them.
type Fields interface {
	Field(name string) ([]byte, bool)
}

// Table is a set of rules. Make one with Build.
type Table struct {
	exact map[string]*site
	below map[string]*site // by what follows "*."
	any   *site
	sets  []methods // of single rules
	least int       // labels of the shortest and longest suffix: others are not looked for
	most  int
}

// methods is what single rules take, HEAD with GET, and their Allow field.
type methods struct {
	set   methodSet
	allow string
}

// site is what a host has.
type site struct {
	paths   httpcore.Router
	targets []target // by the tag of their path, where that is not a single rule's
}

// target is the end of a path: its rules, the more specific before the less.
type target struct {
	path    string
	choices []choice
	allow   string
}

// A tag says what a path leads to. The usual path has a single rule that asks for no field line: then the tag is all that a
// lookup needs, the rule and the number of its set of methods. With many routes it is memory that a lookup waits for.
const (
	singleTag  = 1 << 31 // of a rule, not the index of a target
	indexBits  = 23
	methodSets = 1 << (31 - indexBits)
)

// Match is what a lookup found.
type Match struct {
	Rule  int    // index of the rule; -1 for none
	Allow string // where the path exists, but not with this method: the value of an Allow field; empty otherwise
}

// Fault is what is wrong with a rule.
type Fault struct {
	Rule int // its index
	Err  error
}

// builder is a table under way, and what messages need.
type builder struct {
	t      *Table
	rules  []Rule
	sites  map[string]*building
	faults []Fault
}

// building is what is known of a site beyond what a lookup needs.
type building struct {
	*site
	tags  map[string]int     // of each path
	names map[string]paramAt // by the path up to a parameter, with the names of those before left out
}

type paramAt struct {
	name string
	rule int
}

// Build makes a table of rules. All that is wrong with them is returned at once; then the table has those that are right.
func Build(rules []Rule) (*Table, []Fault) {
	b := &builder{t: &Table{exact: map[string]*site{}, below: map[string]*site{}}, rules: rules, sites: map[string]*building{}}
	for i := range rules {
		c, err := compile(i, &rules[i])
		if err != nil {
			b.fault(i, err)
			continue
		}
		hosts := rules[i].Hosts
		if len(hosts) == 0 {
			hosts = []string{""}
		}
		for j, host := range hosts {
			if slices.Contains(hosts[:j], host) {
				b.fault(i, fmt.Errorf("host %q is named twice", host))
			} else if err := b.add(host, c); err != nil {
				b.fault(i, err)
			}
		}
	}
	for _, s := range b.sites {
		for i := range s.targets {
			b.settle(s, i)
		}
	}
	slices.SortStableFunc(b.faults, func(x, y Fault) int { return x.Rule - y.Rule })
	return b.t, b.faults
}

func (b *builder) fault(i int, err error) { b.faults = append(b.faults, Fault{i, err}) }

// add adds a rule to a host.
func (b *builder) add(host string, c choice) error {
	s, err := b.site(host)
	if err != nil {
		return err
	}
	path := b.rules[c.index].Path
	tag, there := s.tags[path]
	if !there {
		if err := b.place(s, path, c.index); err != nil {
			return err
		}
		tag = len(s.targets)
		s.tags[path] = tag
		s.targets = append(s.targets, target{path: path})
	}
	t := &s.targets[tag]
	at := len(t.choices)
	for i := range t.choices {
		d := &t.choices[i]
		switch in, out := c.within(d), d.within(&c); {
		case in && out:
			return fmt.Errorf("rules %s and %s take the same requests", b.name(d.index), b.name(c.index))
		case in:
			at = min(at, i)
		case !out && !c.apart(d):
			return fmt.Errorf("rules %s and %s are ambiguous: some requests match both, and neither is more specific",
				b.name(d.index), b.name(c.index))
		}
	}
	t.choices = slices.Insert(t.choices, at, c)
	return nil
}

func (b *builder) name(i int) string {
	r := &b.rules[i]
	s := r.Path
	if len(r.Methods) > 0 {
		s = strings.Join(r.Methods, "|") + " " + s
	}
	for _, h := range r.Headers {
		s += ", " + h.String()
	}
	return fmt.Sprintf("%s (%s)", r.Name, s)
}

// place notes the names of a path's parameters, and refuses one that has another name already.
func (b *builder) place(s *building, path string, rule int) error {
	shape := ""
	for _, segment := range strings.SplitAfter(path, "/") {
		if segment == "" || segment[0] != ':' && segment[0] != '*' {
			shape += segment
			continue
		}
		name := strings.TrimSuffix(segment[1:], "/")
		shape += segment[:1]
		if at, ok := s.names[shape]; !ok {
			s.names[shape] = paramAt{name, rule}
		} else if at.name != name {
			return fmt.Errorf("rules %s and %s call one place %s and %s: it has one name", b.name(at.rule), b.name(rule), at.name, name)
		}
		shape += segment[1+len(name):]
	}
	return nil
}

// site returns what a host has.
func (b *builder) site(host string) (*building, error) {
	low := strings.ToLower(host)
	if s := b.sites[low]; s != nil {
		return s, nil
	}
	suffix, below := strings.CutPrefix(low, "*.")
	if low != "" && !validHost(suffix) {
		return nil, fmt.Errorf("%q is no host: a name without a port, or such a name behind \"*.\"", host)
	}
	s := &building{new(site), map[string]int{}, map[string]paramAt{}}
	b.sites[low] = s
	switch {
	case low == "":
		b.t.any = s.site
	case below:
		n := strings.Count(suffix, ".") + 1
		if len(b.t.below) == 0 || n < b.t.least {
			b.t.least = n
		}
		b.t.most = max(b.t.most, n)
		b.t.below[suffix] = s.site
	default:
		b.t.exact[low] = s.site
	}
	return s, nil
}

// validHost reports whether s is a registered name or address as a Host field has it, RFC 3986 §3.2.2, of what is in use.
func validHost(s string) bool {
	if strings.HasPrefix(s, "[") {
		return strings.HasSuffix(s, "]") && strings.Trim(s[1:len(s)-1], "0123456789abcdef:.") == ""
	}
	for _, label := range strings.Split(s, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return len(s) <= maxHost
}

// settle adds a path, whose rules are all known, to its host's tree.
func (b *builder) settle(s *building, i int) {
	t := &s.targets[i]
	t.allow = t.allowed()
	tag := uint32(i)
	if c := &t.choices[0]; len(t.choices) == 1 && len(c.headers) == 0 && c.index < 1<<indexBits {
		set := c.methods
		if set&(1<<httpcore.MethodGet) != 0 {
			set |= 1 << httpcore.MethodHead
		}
		n := slices.IndexFunc(b.t.sets, func(m methods) bool { return m.set == set })
		if n < 0 && len(b.t.sets) < methodSets {
			n = len(b.t.sets)
			b.t.sets = append(b.t.sets, methods{set, t.allow})
		}
		if n >= 0 {
			tag = singleTag | uint32(n)<<indexBits | uint32(c.index)
		}
	}
	if err := s.paths.Add(httpcore.Route{Method: httpcore.AnyMethod, Pattern: t.path, Tag: tag}); err != nil {
		b.fault(t.choices[0].index, errors.New(strings.Replace(err.Error(), "route * ", "path ", 1)))
	}
}

// allowed is what a path allows, RFC 9110 §10.2.1.
func (t *target) allowed() string {
	var set methodSet
	for i := range t.choices {
		set |= t.choices[i].methods
	}
	if set == anyMethod {
		return "" // no method is the reason that nothing matched
	}
	if set&(1<<httpcore.MethodGet) != 0 {
		set |= 1 << httpcore.MethodHead
	}
	var names []string
	for m := httpcore.MethodGet; m.String() != ""; m++ {
		if set&(1<<m) != 0 {
			names = append(names, m.String())
		}
	}
	return strings.Join(names, ", ")
}

// maxHost bounds a host's name: RFC 1035 §2.3.4 has 255, and its last dot.
const maxHost = 256

// Find returns the rule that takes a request, and notes the parameters of its path in p. host is the Host field's value, or
// the authority of the target, in any case, with or without a port.
func (t *Table) Find(m httpcore.Method, host, path []byte, f Fields, p *httpcore.Params) Match {
	if len(t.exact)+len(t.below) > 0 {
		if s, tag := t.named(host, path, p); s != nil {
			return t.match(s, tag, m, f)
		}
	}
	if t.any != nil {
		if found := t.any.paths.Find(httpcore.MethodUnknown, path, p); found.Route != nil {
			return t.match(t.any, found.Tag, m, f)
		}
	}
	return Match{Rule: -1}
}

// match returns the rule that a path's tag leads to.
func (t *Table) match(s *site, tag uint32, m httpcore.Method, f Fields) Match {
	if tag&singleTag == 0 {
		return s.targets[tag].match(m, f)
	}
	sets := &t.sets[tag&^singleTag>>indexBits]
	if sets.set>>m&1 == 0 {
		return Match{-1, sets.allow}
	}
	return Match{Rule: int(tag & (1<<indexBits - 1))}
}

// named looks for the path at the hosts that have the name, and returns the first that has it, and the path's tag.
func (t *Table) named(host, path []byte, p *httpcore.Params) (*site, uint32) {
	var low [maxHost]byte
	host = plain(host, low[:])
	if s := t.exact[string(host)]; s != nil {
		if found := s.paths.Find(httpcore.MethodUnknown, path, p); found.Route != nil {
			return s, found.Tag
		}
	}
	if len(t.below) == 0 {
		return nil, 0
	}
	labels := 1
	for _, c := range host {
		if c == '.' {
			labels++
		}
	}
	for i, c := range host {
		if c != '.' {
			continue
		}
		if labels--; labels > t.most {
			continue
		}
		if labels < t.least {
			break
		}
		if s := t.below[string(host[i+1:])]; s != nil {
			if found := s.paths.Find(httpcore.MethodUnknown, path, p); found.Route != nil {
				return s, found.Tag
			}
		}
	}
	return nil, 0
}

// plain returns a host without its port and its last dot, in lower case, in low where it must change. One that is too long
// for that is none that a rule could have.
func plain(host, low []byte) []byte {
	end, upper := len(host), false
	for i := len(host) - 1; i >= 0; i-- {
		switch c := host[i]; {
		case c == ':' && end == len(host) && digitsOnly(host[i+1:]):
			end = i
		case c == ']':
			upper, i = true, 0 // an address has colons of its own: no port further left, and what else is there is not looked at
		case c >= 'A' && c <= 'Z':
			upper = true
		}
	}
	host = host[:end]
	if end > 1 && host[end-1] == '.' {
		host = host[:end-1]
	}
	if len(host) > len(low) {
		return nil
	}
	if !upper {
		return host
	}
	for i, c := range host {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		low[i] = c
	}
	return low[:len(host)]
}

func digitsOnly(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// match returns the first rule of a path that holds. GET's rules take HEAD where none of HEAD's own does, RFC 9110 §9.3.2.
func (t *target) match(m httpcore.Method, f Fields) Match {
	if i := t.first(m, f); i >= 0 {
		return Match{Rule: i}
	}
	if m == httpcore.MethodHead {
		if i := t.first(httpcore.MethodGet, f); i >= 0 {
			return Match{Rule: i}
		}
	}
	return Match{-1, t.allowFor(m)}
}

func (t *target) first(m httpcore.Method, f Fields) int {
	for i := range t.choices {
		c := &t.choices[i]
		if c.methods>>m&1 == 0 {
			continue
		}
		holds := true
		for j := range c.headers {
			if holds = c.headers[j].holds(f); !holds {
				break
			}
		}
		if holds {
			return c.index
		}
	}
	return -1
}

// allowFor is the Allow field's value if the method is the reason that nothing matched.
func (t *target) allowFor(m httpcore.Method) string {
	for i := range t.choices {
		set := t.choices[i].methods
		if set>>m&1 != 0 || m == httpcore.MethodHead && set>>httpcore.MethodGet&1 != 0 {
			return ""
		}
	}
	return t.allow
}
