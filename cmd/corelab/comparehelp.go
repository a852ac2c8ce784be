package main

// Help says what a comparison is, and what its JSON means.
func (c *CompareCmd) Help() string {
	return `Both servers are started anew for each block of one or two seconds, verified byte for byte, and loaded in turn by corelab's own generator: eight windows of 125 ms, ABBA or BAAB at random. Server and generator share one CPU under SCHED_BATCH. A window in which something else took more than 5 % of that CPU is left out and counted.

A ratio is B ÷ A, paired block by block. Its interval, of 99 %, comes from a bootstrap over at least 12 blocks; fewer give no verdict. "better" and "worse" mean that the whole interval lies on one side; "no difference shown" comes with the size that would have shown. Whether to stop is decided by the width of the intervals of CPU per request and throughput alone, after 12, 16, 20 … blocks.

CPU per request is the ratio of server CPU ÷ generator CPU, in which the speed of the machine falls out, unless a request of B costs the generator itself more or less than one of A: proven and by more than 3 %, it is the server's CPU alone; proven or by more than 3 %, the interval spans both ratios, so that a verdict needs both to agree. Both are shown. p50 and p99 are those of a closed loop: what 64 clients saw that each wait for their answer.

--fail-if-worse 2% exits with 4 where CPU per request or throughput is proven worse and the estimate is 2 % or more: a proven difference of 0.5 % does not fail, nor does an estimate of 3 % that might be chance. Where a difference of 2 % might have gone unseen, it says so.

--json prints one line: scenario, case, load, a and b (target, command, ballast_ns), seed, confidence, precision, max_ns, elapsed_ns, windows, samples_left_out, blocks, blocks_dropped, ended (precise, time, interrupted, failed), error, warnings, and figures: cpu, cpu_plain, cpu_share, generator_cpu, throughput, p50, p99, memory. Each figure has a and b in its unit, ratio (B ÷ A), lo and hi of the interval (null without one), confidence, verdict, could_show (0.01 is 1 %), blocks, samples_left_out, basis (of cpu: share, plain or both), why (where there is no interval), and truth and truth_held where one side carries --ballast.

Examples:
  corelab compare reactor epoll
  corelab compare git:HEAD~1 git:HEAD --fail-if-worse 2%
  corelab compare nginx 'mine=./server --port {port}' --scenario connections:connections=400
  corelab compare reactor 'reactor --ballast 200ns'`
}
