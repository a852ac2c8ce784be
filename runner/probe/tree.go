package probe

// Proc is a mounted procfs: System, or a copy of its files in a test.
type Proc struct {
	dir string
}

// System is the procfs of this machine.
var System = Proc{dir: "/proc"}

type reading struct{}

func (p Proc) read(pids []int) (reading, error) { return reading{}, nil }

// Tree returns root and all its living descendants, ascending, zombies left out; it is empty when root is gone and has
// left none.
func Tree(root int) []int { return System.Tree(root) }

// Tree returns root and all its living descendants in p.
func (p Proc) Tree(root int) []int { return nil }
