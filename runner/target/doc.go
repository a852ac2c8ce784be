// Package target runs servers under test. Our own cores, nginx and any foreign server come in by the same door: a
// process on a free port of 127.0.0.1, in its own process group, pinned before it executes, verified byte for byte
// before any load, and stopped with everything it started.
//
// What users write is TARGET := CORE [flags] | PEER | NAME=COMMAND | git:REV[:CORE [flags]]; [ParseContext] turns it into a
// [Spec], [Start] into a [Process], and [Verify] asks it one question. A peer is one file and one line of the table in
// peers.go.
//
// The package knows our cores only by `coreserver --list --json`; it links none of them.
package target
