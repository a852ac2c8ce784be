package results

import "time"

// SoakAsked is what a run of corelab soak was asked for.
type SoakAsked struct {
	For   time.Duration `json:"for_ns"`
	Every time.Duration `json:"every_ns"` // between two samples
	Rate  float64       `json:"rate"`     // of the right requests, per second
	Foes  int           `json:"foes"`     // hostile clients of each kind, open at a time
}

// Soak is one sample of a server under mixed traffic. What counts, counts from the begin of the traffic.
type Soak struct {
	At         time.Duration `json:"at_ns"`                // since the begin of the traffic
	Memory     uint64        `json:"memory_kib"`           // anonymous memory, resident: of its heap and stacks
	RSS        uint64        `json:"rss_kib"`              // with the pages of files
	Files      int           `json:"files"`                // open
	Threads    int           `json:"threads"`              //
	Goroutines *int          `json:"goroutines,omitempty"` // of our cores
	HeapKiB    *uint64       `json:"heap_kib,omitempty"`   // of our cores: objects, living or not yet swept
	Answers    uint64        `json:"answers"`              // right ones
	Churn      uint64        `json:"churn"`                // connections of those who asked rightly
	Accepted   uint64        `json:"accepted,omitempty"`   // connections that the server accepted ever, those of hostile clients too; of our cores
	Errors     uint64        `json:"errors"`               // requests not answered, or not rightly
	Example    string        `json:"example,omitempty"`    // the first of them
}
