// Package planted is the app that a lab is held against: one answer, and what is planted in it on purpose, so that the
// truth about it is known. A lab that reports something else is not to be believed.
//
//	GET /planted     Hello, World!, with all that is planted
//	GET /plaintext   the same bytes, never planted: for verification, and for reference
//	GET /counts      what was done so far, as JSON (see [Counts]): exact
//
// Plants combine. Answers are numbered from 1 over all connections, as their requests come; those that are never given
// have no number. What is said of "every N-th" is exact: N, 2N, 3N … What a truthful lab shows, q being a quantile
// between 0 and 1, r the rate of an open loop of constant gaps, and "ordinary" what it shows without the plant:
//
//	coreserver flag         what happens                             what a truthful lab shows
//	--plant-late F@D        every 1/F-th answer is held back by D,   quantiles above 1 − F: ordinary + D, below: ordinary;
//	                        the others are not                       mean: ordinary + F·D
//	--plant-stall S@P       nobody is answered for S at the begin    open loop, latency from the due time: quantile q is
//	                        of each P, counted from the start        S − (1 − q)·P where that is above 0, mean S²/2P, while
//	                                                                 the backlog of r·S is served in no time
//	--plant-serial T        one request at a time, in their order,   throughput 1/T; closed loop of C connections: latency
//	                        each for T                               C·T; open loop at r > 1/T: it grows by r·T − 1 seconds
//	                                                                 each second
//	--plant-calls N         N calls of getppid(2)                    N more of that name for each request
//	--plant-switches N      N naps of 20 µs                          N more voluntary switches, and calls of nanosleep(2)
//	--plant-mute N          the first N connections that ask are     N connections never answered
//	                        never answered
//	--plant-wrong N         every N-th: the last byte is wrong       one error in N answers, by comparing bodies
//	--plant-long N          every N-th: 14 bytes, well framed        one error in N
//	--plant-short N         every N-th: 7 bytes of 13, then the      one error in N, and as many new connections
//	                        connection ends
//	--plant-error N         every N-th: a 500                        one error in N
//	--plant-close N         every N-th: the connection ends          one error in N, and as many new connections
//	                        without an answer
//	--plant-leak B          B bytes are kept, and resident           memory grows by B for each answer
//	--plant-drift NS        NS of CPU time more each second          CPU per request: ordinary + NS·t at t seconds
//
// How exact they are:
//
// Delays are measured by a timerfd, not by the loop's timers, which tick in milliseconds. An answer is never early. On a
// CPU that is free it is 20 to 70 µs late, which is the way from the timer by two threads to the socket: 1.02 to 1.07 ms
// for 1 ms. That does not add up: a serial service keeps its own schedule, and the rate 1/T is exact. On a machine that is
// busy with something else all threads of the server wait for a CPU, these too.
//
// A stall blocks whoever asks for /planted: the loop, the thread or the goroutine, for everything it owns. What is held
// back, and due within a stall, waits for its end as well. A service is not prolonged by a stall that begins within it.
//
// A nap takes 20 µs and the kernel's slack of 50. The Go runtime makes switches and naps of its own, a few in a hundred
// requests, and more where it is idle; and a server that takes longer for a request waits less often for the next one.
// So compare one plant with another, N and 2N, rather than with none.
//
// The leak is no part of Go's heap: the collector can neither free it nor keep a reserve for it.
//
// Late and serial answers and mute connections hold replies. On a core that waits with whoever is held (sequential) they
// would hold up everybody, which is another plant. A mute connection stays in flight until its client resets it, so that
// a server that is told to stop waits for --grace: give it a short one.
package planted
