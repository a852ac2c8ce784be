package target

// Peer is a server of the field that the lab knows how to configure: one file, and one line of peers.
type Peer struct {
	Name, Doc string
	Binary    string // looked up in PATH
	Install   string // the command that installs it
}

var peers = []Peer{}
