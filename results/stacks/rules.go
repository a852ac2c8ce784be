package stacks

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed layers.txt
var layersText string

// layers is the table that every Attribution is made by.
var layers = mustParse(layersText)

func mustParse(text string) *table {
	t, err := parseLayers(text)
	if err != nil {
		panic(err)
	}
	return t
}

// neutral is what a function is that no line names, and what a line may say to take some out of a wider pattern.
const neutral Layer = "neutral"

// place is where a function must be for a rule to name it. Of rules with the same pattern that of the first place decides.
type place uint8

const (
	inModule  place = iota // in the file, or those, that the rule says
	inKernel               // in the kernel
	inUser                 // anywhere else
	inProgram              // in the program's own file
	atRoot                 // at the root of a stack, where the program's name stands
)

var places = map[string]place{"in": inModule, "kernel": inKernel, "user": inUser, "program": inProgram, "root": atRoot}

// rule is one pattern of a line.
type rule struct {
	layer   Layer
	place   place
	module  string // of inModule; all that begin with it, if it ends in *
	pattern string // without its *
	prefix  bool   // the pattern had one
	line    int    // of the table
}

func (r *rule) String() string {
	name := r.pattern
	if r.prefix {
		name += "*"
	}
	return fmt.Sprintf("layers.txt:%d: %s", r.line, name)
}

// holds reports whether f, whose name fits, is where r says. program is the name of the stack's program.
func (r *rule) holds(f Frame, program string) bool {
	switch r.place {
	case inKernel:
		return f.Kernel()
	case inUser:
		return !f.Kernel()
	case inProgram:
		return program != "" && f.Module == program
	case inModule:
		if begin, wide := strings.CutSuffix(r.module, "*"); wide {
			return strings.HasPrefix(f.Module, begin)
		}
		return f.Module == r.module
	}
	return false
}

// table is the parsed layers.txt. It is not changed after parseLayers.
type table struct {
	exact    map[string][]*rule // by pattern, in the order of their places
	prefixes []prefix           // sorted by text
	roots    map[string]*rule
	all      []*rule
}

// prefix is the rules of one pattern with a * behind it.
type prefix struct {
	text  string
	rules []*rule
	wider int // the longest of the others that text begins with, by index; -1 for none
}

// parseLayers reads a table in the form that the head of layers.txt describes. An error says its line.
func parseLayers(text string) (*table, error) {
	t := &table{exact: map[string][]*rule{}, roots: map[string]*rule{}}
	wide := map[string][]*rule{}
	layer := Layer("")
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		wrong := func(format string, a ...any) error {
			return fmt.Errorf("layers.txt:%d: "+format, append([]any{i + 1}, a...)...)
		}
		if name, opens := strings.CutPrefix(line, "["); opens {
			name, closed := strings.CutSuffix(name, "]")
			if layer = Layer(name); !closed || layer != neutral && !slices.Contains(Layers, layer) {
				return nil, wrong("%s is no layer", line)
			}
			continue
		}
		if layer == "" {
			return nil, wrong("a line before the first layer")
		}
		words := strings.Fields(line)
		where, known := places[words[0]]
		if !known {
			return nil, wrong("a line begins with kernel, user, in, program or root, not with %q", words[0])
		}
		words = words[1:]
		module := ""
		if where == inModule && len(words) > 0 {
			module, words = words[0], words[1:]
		}
		if len(words) == 0 {
			return nil, wrong("no pattern")
		}
		for _, word := range words {
			r := &rule{layer: layer, place: where, module: module, line: i + 1}
			r.pattern, r.prefix = strings.CutSuffix(word, "*")
			if r.prefix && where == atRoot {
				return nil, wrong("%s: a root has its whole name", word)
			}
			if old := t.add(r, wide); old != nil {
				return nil, wrong("%s stands in line %d as well", word, old.line)
			}
		}
	}
	t.sortPrefixes(wide)
	return t, nil
}

// add takes r in, those with a * into wide, and returns the rule that says the same already, if one does.
func (t *table) add(r *rule, wide map[string][]*rule) (old *rule) {
	t.all = append(t.all, r)
	if r.place == atRoot {
		old = t.roots[r.pattern]
		t.roots[r.pattern] = r
		return old
	}
	into := t.exact
	if r.prefix {
		into = wide
	}
	rules := into[r.pattern]
	for _, o := range rules {
		if o.place == r.place && o.module == r.module {
			return o
		}
	}
	rules = append(rules, r)
	slices.SortStableFunc(rules, func(a, b *rule) int { return int(a.place) - int(b.place) })
	into[r.pattern] = rules
	return nil
}

// sortPrefixes makes t.prefixes.
func (t *table) sortPrefixes(wide map[string][]*rule) {
	for text, rules := range wide {
		t.prefixes = append(t.prefixes, prefix{text: text, rules: rules})
	}
	slices.SortFunc(t.prefixes, func(a, b prefix) int { return strings.Compare(a.text, b.text) })
	for i := range t.prefixes {
		w := i - 1
		for w >= 0 && !strings.HasPrefix(t.prefixes[i].text, t.prefixes[w].text) {
			w = t.prefixes[w].wider
		}
		t.prefixes[i].wider = w
	}
}

// plain is a function's name without what compilers and linkers put around it.
func plain(f Frame) string {
	name := f.Name
	if i := strings.IndexByte(name, '@'); i > 0 {
		name = name[:i]
	}
	for _, added := range [...]string{".isra.", ".constprop.", ".part.", ".cold", ".abi0"} {
		if i := strings.Index(name, added); i > 0 {
			name = name[:i]
		}
	}
	if strings.HasPrefix(f.Module, "libc") {
		name = strings.TrimPrefix(name, "__GI_")
		name = strings.TrimPrefix(name, "__libc_")
		name = strings.TrimPrefix(name, "__")
	}
	return name
}

// find returns the rule that decides what f is, nil where none names it.
func (t *table) find(f Frame, program string) *rule {
	name := plain(f)
	for _, r := range t.exact[name] {
		if r.holds(f, program) {
			return r
		}
	}
	// All prefixes of the name are prefixes of the last text that is not behind it, or are that text.
	i, found := slices.BinarySearchFunc(t.prefixes, name, func(p prefix, name string) int { return strings.Compare(p.text, name) })
	if !found {
		i--
	}
	for ; i >= 0; i = t.prefixes[i].wider {
		if !strings.HasPrefix(name, t.prefixes[i].text) {
			continue
		}
		for _, r := range t.prefixes[i].rules {
			if r.holds(f, program) {
				return r
			}
		}
	}
	return nil
}

// decide returns the rule that decides a stack, and the index of the frame that it names; nil and -1 where none does. find
// is t.find, or the same with a memory.
func (t *table) decide(frames []Frame, find func(f Frame, program string) *rule) (*rule, int) {
	if len(frames) == 0 {
		return nil, -1
	}
	first, program := 0, frames[0].Module
	if program == "" { // the root is the program's name, and no function
		if r := t.roots[frames[0].Name]; r != nil {
			return r, 0
		}
		first, program = 1, frames[0].Name
	}
	for i := len(frames) - 1; i >= first; i-- {
		if r := find(frames[i], program); r != nil && r.layer != neutral {
			return r, i
		}
	}
	return nil, -1
}
