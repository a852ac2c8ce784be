package httpcore

import "testing"

func TestFind(t *testing.T) {
	var r Router
	for i, pattern := range []string{"/a/:x/*rest", "/a"} {
		if err := r.Add(Route{Method: AnyMethod, Pattern: pattern, Tag: uint32(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	var p Params
	path := []byte("/a/1/b/c")
	if m := r.Find(MethodUnknown, path, &p); m.Route == nil || m.Tag != 1 || p.Len() != 2 {
		t.Fatalf("%+v with %d parameters", m, p.Len())
	}
	if name, value := p.At(path, 1); name != "rest" || string(value) != "b/c" || string(p.Get(path, "x")) != "1" || p.Get(path, "y") != nil {
		t.Errorf("%s is %q, x is %q", name, value, p.Get(path, "x"))
	}
	if m := r.Find(MethodGet, []byte("/b"), &p); m.Route != nil || p.Len() != 0 {
		t.Errorf("%+v with %d parameters", m, p.Len())
	}
	if m := r.Find(MethodGet, []byte("/a"), &p); m.Tag != 2 || p.Len() != 0 {
		t.Errorf("%+v with %d parameters", m, p.Len())
	}
	if MethodOf([]byte("PURGE")) != MethodUnknown || MethodOf([]byte("PATCH")) != MethodPatch {
		t.Error("methods have other names")
	}
}
