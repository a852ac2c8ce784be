package results

import "time"

// Kinds of hostile clients.
const (
	SiegeHeads   = "heads"   // a request head that comes a byte now and then: slowloris
	SiegeBodies  = "bodies"  // a request's content that comes just below the least rate
	SiegeReaders = "readers" // large answers asked for, and nothing read
	SiegeSilent  = "silent"  // a connection that says nothing
	SiegeTLS     = "tls"     // a TLS handshake on a port without TLS
	SiegeGarbage = "garbage" // bytes that are no HTTP, or forbidden by it
)

// SiegeKinds are all kinds, in the order of tables.
var SiegeKinds = []string{SiegeHeads, SiegeBodies, SiegeReaders, SiegeSilent, SiegeTLS, SiegeGarbage}

// How a hostile client was cut, where that was not a status.
const (
	SiegeClose = "close" // the server's end, without a word before
	SiegeReset = "reset"
)

// SiegeAsked is what a run of corelab siege was asked for.
type SiegeAsked struct {
	Kinds       []string      `json:"kinds"`
	Rate        float64       `json:"rate"`        // of the ordinary clients, requests per second
	Connections int           `json:"connections"` // of the ordinary clients
	Rounds      int           `json:"rounds"`
	Window      time.Duration `json:"window_ns"` // of the ordinary clients, without and with each
	Bound       float64       `json:"bound"`     // of p99 with ÷ without
}

// Siege is what a trial in RoleSiege was: a window of the ordinary clients, alone or beside hostile ones.
type Siege struct {
	Kind    string  `json:"kind"`
	With    bool    `json:"with"`              // hostile clients were there
	Patient bool    `json:"patient,omitempty"` // the siege lasted until the first clients were due to be cut, and the window lies there
	Attack  *Attack `json:"attack,omitempty"`  // only With
	Memory  *Burden `json:"memory,omitempty"`  // only With
}

// Attack is what became of the hostile clients.
type Attack struct {
	Kind     string            `json:"kind"`
	Foes     int               `json:"foes"`               // kept open at a time
	Limit    time.Duration     `json:"limit_ns"`           // after which each should be cut, counted from what it did
	Known    bool              `json:"known"`              // whether the server's limit is known: else nothing is early or late
	Slack    time.Duration     `json:"slack_ns"`           // how much later a cut may be seen
	Elapsed  time.Duration     `json:"elapsed_ns"`         // of the siege
	Opened   uint64            `json:"opened"`             // connections that came about; each that is cut is opened anew
	Refused  uint64            `json:"refused,omitempty"`  // that did not
	Unopened int               `json:"unopened,omitempty"` // still connecting at the end
	How      map[string]uint64 `json:"how,omitempty"`      // how they were cut: "408", "close", "reset"
	Wrong    uint64            `json:"wrong,omitempty"`    // of these, cut in another way than the kind calls for
	Early    uint64            `json:"early,omitempty"`    // cut before Limit
	Late     uint64            `json:"late,omitempty"`     // cut after Limit and Slack
	Overdue  int               `json:"overdue,omitempty"`  // open at the end, and longer than Limit and Slack
	Young    int               `json:"young,omitempty"`    // open at the end, and not yet due
	Cut      *Latency          `json:"cut,omitempty"`      // from what they did to the cut
	Lingered *Latency          `json:"lingered,omitempty"` // of those that went on sending behind the server's end: from the cut to the reset
	Sent     uint64            `json:"sent"`               // bytes
	Received uint64            `json:"received"`           // bytes
	CPU      time.Duration     `json:"cpu_ns"`             // of the process that laid the siege
}

// CutCount is how many were cut.
func (a *Attack) CutCount() (n uint64) {
	for _, c := range a.How {
		n += c
	}
	return n
}

// Burden is the memory and the files of a server before, during and after a siege, without ordinary clients before and after.
type Burden struct {
	Before    uint64        `json:"before_kib"` // anonymous memory, resident: of its heap and stacks
	Peak      uint64        `json:"peak_kib"`   // the most that was seen
	After     uint64        `json:"after_kib"`
	Sockets   uint64        `json:"sockets_kib,omitempty"` // the kernel's memory of all TCP sockets of the machine, more than before at its most
	Files     int           `json:"files"`                 // open before
	FilesPeak int           `json:"files_peak"`
	FilesLeft int           `json:"files_left"` // open after: as many as before is right
	Back      time.Duration `json:"back_ns"`    // after the end of the siege, until the files were as many as before
}
