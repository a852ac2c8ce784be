// Package results is the record of a run, and what is made of it.
//
//	Create → Writer.Append … Writer.End → run.jsonl → Read → Record
//	                                                          ├─ Report: report.md, bench.txt, *.svg
//	                                                          ├─ Summary: the same for a terminal
//	                                                          ├─ CSV, Bench, HGRM, Folded, WriteSlim: one format each
//	                                                          └─ ReadmeTable: the block in the README
//
// A record is a file of JSON lines: one [Run], a [Trial] for each measurement that was made, failed or was skipped, and an
// [End]. record.go is its schema. Each line is on the disk before the next trial begins, so that a run which is killed costs
// the trial under way and nothing else.
//
// A [Figure] takes one number from a trial, or says why there is none. A [Cell] is the trials of one target in one case, a
// round each; an [Estimate] is their median with its interval, and [Paired] that of a ratio taken round by round. [Check]
// finds what a trial's own figures say against it: Little's law, errors, starved connections, a generator at its limit, others
// on its CPUs. Warnings are data: a row that has one says so. Of all of them a [Verdict] is made, one for each cell: what
// limited it, or why it is refused; [Kind] has the rules. Only sound cells are ranked.
//
// A profile says where the CPU's time went in a trial that it slowed: [Record.LayersOf] is its parts times what a request costs
// in the trials that nothing slowed. Package stacks reads profiles and knows the layers.
//
// [Record.BottleneckOf] says in one sentence what limits a row now, with the figures that say so, and what would move it. It
// goes by [BottleneckRules], in order: what is wrong with a row that is refused; what the architecture does; who is busy; and
// what a busy server is busy with, by its profile's layers or, without one, by its ledger.
//
// A [History] is one [Figure] over many records: runs of different machines or loads never stand in one line, and a change is
// flagged only beyond the noise between runs.
//
// The package measures nothing and starts nothing. Everything it makes is a pure function of a record. It never prints a
// missing figure as zero, never puts closed and open loops into one table, never ranks what its intervals do not prove, and
// hides no row.
package results
