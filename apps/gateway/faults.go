package gateway

import "fmt"

// Faults is everything that is wrong with a configuration.
type Faults struct{ all []fault }

// fault is one thing that is wrong, at a key.
type fault struct{ key, text string }

// Add notes that something is wrong at a key, such as "routes.3.limit.0.rate": the names of tables and keys, and the
// numbers of an array's elements from 0.
func (f *Faults) Add(key, format string, args ...any) {
	f.all = append(f.all, fault{key, fmt.Sprintf(format, args...)})
}
