package stacks

import (
	"cmp"
	"slices"
)

// Layer is where in the life of a request time went.
type Layer string

// The layers, in the order in which a request meets them; Other is what no rule knows, Idle time in which the CPU had nothing
// to do. layers.txt says which functions are whose.
const (
	Parse      Layer = "parse"
	Route      Layer = "route"
	Handler    Layer = "handler" // and what drives a request through the program
	Reply      Layer = "reply"
	Scheduler  Layer = "Go scheduler"
	Memory     Layer = "GC and allocation"
	Netpoller  Layer = "netpoller" // Go's
	CallEntry  Layer = "system-call entry and exit"
	Epoll      Layer = "epoll" // and poll, io_uring, and the program's own event loop
	SocketRead Layer = "socket read"
	SocketSend Layer = "socket write"
	Transmit   Layer = "TCP transmit"
	Receive    Layer = "TCP receive and softirq"
	Wakeup     Layer = "wake-ups and context switches"
	Setup      Layer = "connection set-up and tear-down"
	Other      Layer = "other"
	Idle       Layer = "idle"
)

// Layers are all of them, in order.
var Layers = []Layer{Parse, Route, Handler, Reply, Scheduler, Memory, Netpoller, CallEntry, Epoll, SocketRead, SocketSend, Transmit, Receive, Wakeup, Setup, Other, Idle}

// Kernel reports whether the layer is the kernel's work. It is that but for little: the wrappers of system calls and a
// program's event loop stand with what they are for, and page faults with allocation. Attribution.Kernel is exact.
func (l Layer) Kernel() bool {
	switch l {
	case CallEntry, Epoll, SocketRead, SocketSend, Transmit, Receive, Wakeup, Setup:
		return true
	}
	return false
}

// Attribution is a profile by layer. By of all layers is the profile's Total.
type Attribution struct {
	By      map[Layer]int64 // in the profile's unit; only of layers in which something is
	Busy    int64           // of all but Idle
	Kernel  int64           // of Busy, in functions of the kernel, whichever layer they are
	Unnamed int64           // of By[Handler], in functions of the program that no rule names: the table's last word
	Unknown []Frame         // the leaves of what fell into Other, most first; at most unknownShown
}

// unknownShown bounds Attribution.Unknown.
const unknownShown = 10

// Share is the layer's part of the time in which the CPU was busy with the server, 0 to 1. Idle has none.
func (a Attribution) Share(l Layer) float64 {
	if a.Busy == 0 || l == Idle {
		return 0
	}
	return float64(a.By[l]) / float64(a.Busy)
}

// LayerOf returns the layer of a stack, and the index of the frame that decides it: by that, a frame on the way is coloured
// as what it leads to. A stack that no rule knows is Other's, by -1.
func LayerOf(s Stack) (Layer, int) {
	r, at := layers.decide(s.Frames, layers.find)
	if r == nil {
		return Other, -1
	}
	return r.layer, at
}

// Attribute gives each stack of p to a layer.
func (p *Profile) Attribute() Attribution {
	a := Attribution{By: map[Layer]int64{}}
	find := remember(layers.find)
	unknown := map[Frame]int64{}
	for _, s := range p.Stacks {
		r, _ := layers.decide(s.Frames, find)
		layer := Other
		if r != nil {
			layer = r.layer
		}
		a.By[layer] += s.Value
		if layer == Idle {
			continue
		}
		a.Busy += s.Value
		if len(s.Frames) == 0 {
			continue
		}
		leaf := s.Frames[len(s.Frames)-1]
		if leaf.Kernel() {
			a.Kernel += s.Value
		}
		switch {
		case layer == Other:
			unknown[leaf] += s.Value
		case r.place == inProgram:
			a.Unnamed += s.Value
		}
	}
	a.Unknown = mostFirst(unknown)
	return a
}

// remember returns find with a memory: the frames of a profile are few, and each is on many of its stacks.
func remember(find func(Frame, string) *rule) func(Frame, string) *rule {
	type question struct {
		frame   Frame
		program string
	}
	known := map[question]*rule{}
	return func(f Frame, program string) *rule {
		q := question{f, program}
		r, is := known[q]
		if !is {
			r = find(f, program)
			known[q] = r
		}
		return r
	}
}

// mostFirst returns the frames with the highest values, at most unknownShown.
func mostFirst(of map[Frame]int64) []Frame {
	frames := make([]Frame, 0, len(of))
	for f := range of {
		frames = append(frames, f)
	}
	slices.SortFunc(frames, func(a, b Frame) int { return cmp.Or(cmp.Compare(of[b], of[a]), compareFrames(a, b)) })
	return frames[:min(len(frames), unknownShown):min(len(frames), unknownShown)]
}
