// Package probe measures what a process tree and the machine used over a window of time, from outside: process CPU
// clocks, /proc, and, for system calls by name, the kernel's tracepoints through perf.
//
// What perf records of a server becomes a profile in the format of profile.proto: [RecordCPU] where its CPU time goes, with the
// kernel's stacks, [RecordSched] where its threads wait, and for how long they do once they could run.
//
// A window is two readings and their difference, so that what is measured is touched twice and never in between. What
// cannot be read is returned as results.Missing with the reason, never as zero. [Calls] and recordings slow every task of the
// machine: they belong into trials of their own, which are not ranked.
//
// The package starts no server and ends no process; package target does.
package probe
