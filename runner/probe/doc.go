// Package probe measures what a process tree and the machine used over a window of time, from outside: process CPU
// clocks, /proc, and, for system calls by name, the kernel's tracepoints through perf.
//
// A window is two readings and their difference, so that what is measured is touched twice and never in between. What
// cannot be read is returned as results.Missing with the reason, never as zero. [Calls] slows every task of the machine:
// it belongs into trials of their own, which are not ranked.
//
// The package starts no server and ends no process; package target does.
package probe
