package main

// options say how a peer is started.
type options struct {
	addr    string // of IPv4
	workers int    // CPUs to use: GOMAXPROCS is set to it before, and event loops are as many
}

// peer is one server.
type peer struct {
	name   string // also what it says in Server
	module string // its path, or "" for the standard library
	// settings are lines for people: what serve sets, and why where it is not the default.
	settings []string
	// serve listens and serves, and returns only with an error.
	serve func(options) error
}

// peers is every peer there is.
var peers = []peer{
	netHTTP,
	fastHTTP,
	gnetPeer,
	nbioPeer,
	hertz,
	netpollPeer,
}

func findPeer(name string) (peer, bool) {
	for _, p := range peers {
		if p.name == name {
			return p, true
		}
	}
	return peer{}, false
}
