package target

// Kinds of targets.
const (
	KindCore    = "core"
	KindPeer    = "peer"
	KindForeign = "foreign"
)

// Core is what coreserver says about one of its cores.
type Core struct {
	Name  string `json:"name"`
	Doc   string `json:"doc"`
	Lacks []Lack `json:"lacks"`
}

// Lack is something that a core cannot do, and why. Feature is one of those of package servers: "keep-alive",
// "pipelining", "parsing", …
type Lack struct {
	Feature string `json:"feature"`
	Reason  string `json:"reason"`
}

// Env is what targets are made of on this machine. It does not change once made.
type Env struct {
	Coreserver string // path of the binary
	Cores      []Core // what it lists, in its order
}

// Spec is a parsed TARGET. The zero value is not useful; see [Parse].
type Spec struct {
	Name   string   // the row's label: "reactor", "reactor --threads 8", "nginx", or the NAME of NAME=COMMAND
	Kind   string   // KindCore, KindPeer or KindForeign
	Core   Core     // of KindCore
	Flags  []string // of KindCore: passed on to coreserver
	Argv   []string // of KindForeign: the words of COMMAND, {port} and {workers} not yet replaced
	binary string
	peer   *Peer
}

// Lacks returns why the target cannot serve the route, or "". The path may have a query and concrete segments.
func (s Spec) Lacks(method, path string) string { return "" }

// LacksFeature returns why the target's core cannot do the feature, or "": peers and foreign servers are taken to do all.
func (s Spec) LacksFeature(feature string) string { return "" }

// Limit says that the target does less than the others, such as a core that does not parse, and is never ranked.
func (s Spec) Limit() bool { return false }
