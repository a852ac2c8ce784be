// Package selftest holds the lab against servers whose truth is known, because it was planted: coreserver's app planted
// delays, stalls, fails, leaks and burns CPU exactly as told. A plant is a value that says what is planted, how it is loaded,
// and of each figure what a truthful lab must report, by a formula that names its source. The trials go the way of every
// trial: [runner.Bay] starts the server, verifies it, loads it from another process and reads its probes, and package results
// checks what came of it. Nothing here measures anything by itself.
//
//	Plants → Run: trials, repeated where the machine was busy → record
//	record → Judge → results.SelfTest → tables
//
// Judge is a pure function of the record, so that a recorded selftest can be judged again.
//
// A figure that is off on a calm machine is wrong. Where something else took the CPU the plant is tried again, a bounded
// number of times, and at last called unjudged: the machine was busy. That is a verdict of its own, and never a pass.
package selftest
