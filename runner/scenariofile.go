package runner

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

var wrongType = regexp.MustCompile(`^cannot decode TOML (.+) into .* of type (\S+)$`)

// maxScenarioBytes bounds a scenario file: it is a page of text.
const maxScenarioBytes = 64 << 10

// LoadScenarios returns the scenarios of those names, in that order; all of builtin, sorted, if there are none. A name with
// a slash or the suffix .toml is a file of the user's.
func LoadScenarios(builtin fs.FS, names ...string) ([]*Scenario, error) {
	known, err := fs.Glob(builtin, "*.toml")
	if err != nil {
		return nil, fmt.Errorf("list scenarios: %w", err)
	}
	for i := range known {
		known[i] = strings.TrimSuffix(known[i], ".toml")
	}
	if len(names) == 0 {
		names = known
	}
	var out []*Scenario
	for _, name := range names {
		var src []byte
		file := name
		switch {
		case strings.HasSuffix(name, ".toml"), strings.ContainsRune(name, '/'):
			src, err = os.ReadFile(name)
		case slices.Contains(known, name):
			file = path.Join("scenarios", name+".toml")
			src, err = fs.ReadFile(builtin, name+".toml")
		default:
			return nil, fmt.Errorf("no scenario %q; there are %s, or give the path of your own .toml file", name, strings.Join(known, ", "))
		}
		if err != nil {
			return nil, fmt.Errorf("read scenario: %w", err)
		}
		sc, err := ParseScenario(file, src)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(o *Scenario) bool { return o.Name == sc.Name }) {
			return nil, fmt.Errorf("scenario %q is named twice; leave one of them out", sc.Name)
		}
		out = append(out, sc)
	}
	return out, nil
}

// ParseScenario reads a scenario file. An error begins with file:line:column and says what is allowed there.
func ParseScenario(file string, src []byte) (*Scenario, error) {
	if len(src) > maxScenarioBytes {
		return nil, fmt.Errorf("%s:1:1: larger than %d bytes; a scenario is one question", file, maxScenarioBytes)
	}
	s := &Scenario{Name: strings.TrimSuffix(filepath.Base(file), ".toml")}
	dec := toml.NewDecoder(bytes.NewReader(src)).DisallowUnknownFields()
	if err := dec.Decode(s); err != nil {
		return nil, located(file, err)
	}
	if err := s.check(); err != nil {
		line, column := locate(src, err.key)
		return nil, fmt.Errorf("%s:%d:%d: %s", file, line, column, err.text)
	}
	s.fill()
	return s, nil
}

// located puts the position before what the decoder found, and behind an unknown key those that are known there.
func located(file string, err error) error {
	if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		e := &strict.Errors[0]
		line, column := e.Position()
		key := e.Key()
		parent, allowed := allowedAt(key)
		where := ""
		if parent != "" {
			where = " in [" + parent + "]"
		}
		return fmt.Errorf("%s:%d:%d: unknown key %q%s; allowed: %s", file, line, column, key[len(key)-1], where, strings.Join(allowed, ", "))
	}
	if e, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, column := e.Position()
		text := strings.TrimPrefix(e.Error(), "toml: ")
		// The decoder names Go's types here, which mean nothing to who wrote the file.
		text = wrongType.ReplaceAllString(text, "a $1 stands where $2 is expected")
		return fmt.Errorf("%s:%d:%d: %s", file, line, column, text)
	}
	return fmt.Errorf("%s:1:1: %w", file, err)
}

// allowedAt walks the fields of Scenario along key as far as they go, and returns how far, and the keys known there.
func allowedAt(key toml.Key) (parent string, allowed []string) {
	t := reflect.TypeFor[Scenario]()
	var walked []string
walk:
	for _, part := range key {
		for f := range fields(t) {
			ft := f.Type
			if ft.Kind() == reflect.Pointer || ft.Kind() == reflect.Slice {
				ft = ft.Elem()
			}
			if f.Tag.Get("toml") == part && ft.Kind() == reflect.Struct {
				t, walked = ft, append(walked, part)
				continue walk
			}
		}
		break
	}
	for f := range fields(t) {
		allowed = append(allowed, f.Tag.Get("toml"))
	}
	sort.Strings(allowed)
	return strings.Join(walked, "."), allowed
}

func fields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if f := t.Field(i); f.Tag.Get("toml") != "-" && !yield(f) {
				return
			}
		}
	}
}

// locate returns where key stands in src, or the nearest of its parents that does, or the first line.
func locate(src []byte, key string) (line, column int) {
	var p unstable.Parser
	p.Reset(src)
	found := map[string]unstable.Position{}
	arrays := map[string]int{}
	var table string
	for p.NextExpression() {
		e := p.Expression()
		var parts []string
		var at unstable.Position
		for it := e.Key(); it.Next(); {
			if len(parts) == 0 {
				at = p.Shape(it.Node().Raw).Start
			}
			parts = append(parts, string(it.Node().Data))
		}
		name := strings.Join(parts, ".")
		switch e.Kind {
		case unstable.Table:
			table = name
		case unstable.ArrayTable:
			table = name + "." + strconv.Itoa(arrays[name])
			arrays[name]++
			name = table
		default:
			if table != "" {
				name = table + "." + name
			}
		}
		found[name] = at
	}
	for key != "" {
		if at, ok := found[key]; ok {
			return at.Line, at.Column
		}
		i := strings.LastIndexByte(key, '.')
		key = key[:max(i, 0)]
	}
	return 1, 1
}
