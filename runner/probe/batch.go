package probe

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// batchNice is the niceness of what runs under Batch, where the lab may set it: others then take a tenth as much of the CPU.
const batchNice = -10

// Batch puts the calling thread, and with it what it starts, under the policy SCHED_BATCH, and returns what takes that
// back. The caller has locked its goroutine to the thread. It takes no privilege; with CAP_SYS_NICE the thread is less nice, too.
//
// Server and generator on one CPU wake each other with every answer. Under the usual policy the one that has used less of
// the CPU then takes it from the other in the midst of its work: the dearer the server, the more often, down from 45 requests
// between two switches to 3, and with the switches and the waits that find but one event the cost of both rises. A µs of
// work added to each request then shows as 1.2, and as 8 % on the generator. A thread under SCHED_BATCH takes the CPU from
// nobody by waking: each runs until it has to wait, and what is added is what shows.
func Batch() (restore func() error, err error) {
	old, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return nil, fmt.Errorf("read the scheduling policy: %w", err)
	}
	batch := *old
	batch.Policy = unix.SCHED_BATCH
	batch.Nice = min(batch.Nice, batchNice)
	if err = unix.SchedSetAttr(0, &batch, 0); errors.Is(err, unix.EPERM) {
		batch.Nice = old.Nice
		err = unix.SchedSetAttr(0, &batch, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("set the scheduling policy SCHED_BATCH: %w", err)
	}
	return func() error {
		if err := unix.SchedSetAttr(0, old, 0); err != nil {
			return fmt.Errorf("take the scheduling policy back: %w", err)
		}
		return nil
	}, nil
}
