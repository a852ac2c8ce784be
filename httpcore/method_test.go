package httpcore

import "testing"

func TestMethods(t *testing.T) {
	for m := MethodGet; m < numMethods; m++ {
		if name := m.String(); name == "" || methodOf([]byte(name)) != m {
			t.Errorf("method %d is %q, and that is %v", m, name, methodOf([]byte(name)))
		}
		if len(m.String()) > maxMethod {
			t.Errorf("%s is longer than a method may be", m)
		}
	}
	for _, name := range []string{"", "get", "GETS", "GE", "BREW", "*"} {
		if m := methodOf([]byte(name)); m != MethodUnknown {
			t.Errorf("%q is %v", name, m)
		}
	}
	if MethodUnknown.String() != "" || Method(255).String() != "" {
		t.Error("an unknown method has a name")
	}
	if numMethods > 64 {
		t.Error("a methodSet has no bit for every method")
	}
}
