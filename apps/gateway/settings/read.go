package settings

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// maxBytes bounds a file: a hundred thousand routes fit.
const maxBytes = 256 << 20

// Read reads src, which is called file, into the struct that into points to. It never returns nil: what is wrong with the
// values is added to the Faults by the caller. Where the syntax is wrong, only that is said.
func Read(file string, src []byte, into any) *Faults {
	f := &Faults{file: file}
	if len(src) > maxBytes {
		f.Add("", "larger than %d bytes", maxBytes)
		return f
	}
	var doc map[string]any
	if err := toml.Unmarshal(src, &doc); err != nil {
		at := position{1, 1}
		text := err.Error()
		if e, ok := errors.AsType[*toml.DecodeError](err); ok {
			at.line, at.column = e.Position()
			text = strings.TrimPrefix(e.Error(), "toml: ")
		}
		f.all = append(f.all, fault{text: text, at: at})
		return f
	}
	f.positions = positionsOf(src)
	f.set("", doc, reflect.ValueOf(into).Elem())
	return f
}

// set puts what stands at key into v.
func (f *Faults) set(key string, value any, v reflect.Value) {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		s, ok := value.(string)
		if !ok {
			f.Add(key, "%s stands where text is expected", kindOf(value))
		} else if err := u.UnmarshalText([]byte(s)); err != nil {
			f.Add(key, "%v", err)
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.set(key, value, v.Elem())
	case reflect.Struct:
		f.setStruct(key, value, v)
	case reflect.Map:
		f.setMap(key, value, v)
	case reflect.Slice:
		f.setSlice(key, value, v)
	default:
		f.setPlain(key, value, v)
	}
}

func (f *Faults) setStruct(key string, value any, v reflect.Value) {
	doc, ok := value.(map[string]any)
	if !ok {
		f.Add(key, "%s stands where a table is expected", kindOf(value))
		return
	}
	fields := map[string]reflect.Value{}
	keysOf(v, fields)
	for name, inner := range doc {
		if field, ok := fields[name]; ok {
			f.set(join(key, name), inner, field)
			continue
		}
		var known []string
		for k := range fields {
			known = append(known, k)
		}
		sort.Strings(known)
		if len(known) == 0 {
			f.Add(join(key, name), "no key is known here")
		} else {
			f.Add(join(key, name), "no such key is known here; there are %s", strings.Join(known, ", "))
		}
	}
}

// keysOf collects a struct's fields by their keys, those of embedded structs as its own.
func keysOf(v reflect.Value, into map[string]reflect.Value) {
	t := v.Type()
	for i := range t.NumField() {
		sf := t.Field(i)
		name := sf.Tag.Get("toml")
		switch {
		case sf.Anonymous && name == "":
			keysOf(v.Field(i), into)
		case name != "" && name != "-":
			into[name] = v.Field(i)
		}
	}
}

func (f *Faults) setMap(key string, value any, v reflect.Value) {
	doc, ok := value.(map[string]any)
	if !ok {
		f.Add(key, "%s stands where a table is expected", kindOf(value))
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), len(doc))
	for name, inner := range doc {
		e := reflect.New(v.Type().Elem()).Elem()
		f.set(join(key, name), inner, e)
		m.SetMapIndex(reflect.ValueOf(name), e)
	}
	v.Set(m)
}

func (f *Faults) setSlice(key string, value any, v reflect.Value) {
	list, ok := value.([]any)
	if !ok {
		f.Add(key, "%s stands where a list is expected", kindOf(value))
		return
	}
	s := reflect.MakeSlice(v.Type(), len(list), len(list))
	for i, inner := range list {
		f.set(join(key, strconv.Itoa(i)), inner, s.Index(i))
	}
	v.Set(s)
}

func (f *Faults) setPlain(key string, value any, v reflect.Value) {
	switch x := value.(type) {
	case string:
		if v.Kind() == reflect.String {
			v.SetString(x)
			return
		}
	case bool:
		if v.Kind() == reflect.Bool {
			v.SetBool(x)
			return
		}
	case float64:
		if v.CanFloat() && !math.IsNaN(x) && !math.IsInf(x, 0) {
			v.SetFloat(x)
			return
		}
	case int64:
		switch {
		case v.CanInt() && !v.OverflowInt(x):
			v.SetInt(x)
			return
		case v.CanUint() && x >= 0 && !v.OverflowUint(uint64(x)):
			v.SetUint(uint64(x))
			return
		case v.CanFloat():
			v.SetFloat(float64(x))
			return
		case v.CanInt() || v.CanUint():
			f.Add(key, "%d is out of range", x)
			return
		}
	}
	f.Add(key, "%s stands where %s is expected", kindOf(value), wants(v))
}

// kindOf names what a document holds, for people.
func kindOf(value any) string {
	switch x := value.(type) {
	case string:
		return fmt.Sprintf("the text %q", x)
	case bool, int64, float64:
		return fmt.Sprint(x)
	case map[string]any:
		return "a table"
	case []any:
		return "a list"
	}
	return fmt.Sprintf("the time %v", value)
}

// wants names what a field takes.
func wants(v reflect.Value) string {
	switch {
	case v.Kind() == reflect.String:
		return "text"
	case v.Kind() == reflect.Bool:
		return "true or false"
	case v.CanFloat():
		return "a number"
	case v.CanInt(), v.CanUint():
		return "a whole number"
	}
	panic("settings: a field of kind " + v.Kind().String() + " cannot be read")
}
