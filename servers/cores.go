package servers

// Cores is every core there is, in the order in which tables show them. A new core is one new file and one line here.
var Cores = []Core{
	rawCore,
	sequentialCore,
	goroutineCore,
	poolCore,
	epollCore,
	epollpoolCore,
	reactorCore,
	uringCore,
	evioCore,
}

// Find returns the core of that name.
func Find(name string) (Core, bool) {
	for _, c := range Cores {
		if c.Name == name {
			return c, true
		}
	}
	return Core{}, false
}
