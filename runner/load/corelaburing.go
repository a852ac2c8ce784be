package load

import "strings"

const uringName = "corelab-uring"

// uringGenerator is our own with another engine. It is a generator by itself, so that a record says which engine drove a
// trial, and no table mixes the two: see [EngineUring].
type uringGenerator struct{}

func (uringGenerator) Name() string { return uringName }

func (uringGenerator) Version() string {
	_, version, _ := strings.Cut(corelabGenerator{}.Version(), " ")
	return strings.TrimSpace(uringName + " " + version)
}

// own is the name of our own generator with the engine of s.
func (s Spec) own() string {
	if s.Engine == EngineUring {
		return uringName
	}
	return corelabName
}

// Available makes a ring as a loop does, and throws it away.
func (uringGenerator) Available() error {
	r, err := newIOUring(1)
	if err != nil {
		return err
	}
	r.close()
	return nil
}

func (g uringGenerator) Command(self string, s Spec) ([]string, []byte, error) {
	s.Engine = EngineUring
	return selfCommand(self, g.Name(), s)
}

func (g uringGenerator) Parse(stdout, stderr []byte) (Result, error) {
	return selfResult(g.Name(), stdout, stderr)
}
