// Package runner measures: a scenario becomes a plan, a plan becomes trials, and each trial starts a server as a process,
// verifies its answers, warms it up, loads it with probes around, stops it, and is written down before the next begins.
//
//	scenario file → Scenario → cases ┐
//	targets ─────────────────────────┴→ Plan (rounds, random order, seed) → fit to a budget → Bench.Run
//	Bench.Run: step → Lab.Trial: start → verify → warm up → load + probes → stop → results.Trial, appended and synced
//
// Last come trials that slow what they measure, and are never ranked: those that count system calls by name, and those that
// are profiled. In a profiled trial the profilers take turns in one load, and what they recorded is read behind it:
//
//	start → verify → perf gets ready → load [ CPU by perf | scheduler by perf | Go's own, of our cores ] → read → stop
//
// The runner knows servers only as processes, ours by the same door as any other: it imports neither httpcore nor servers
// nor apps. It computes no statistics and prints no tables; package results does, from the record.
//
// What can go wrong with one trial (a server that dies, a port that is taken, a tool that is missing) is that trial's
// Error, and the run goes on.
package runner
