// Coreserver serves one app on one core. It is the server under test: it links nothing of the lab that loads and
// measures it, so that no harness weighs on its heap, its garbage collector or its profile.
//
//	coreserver --core reactor --addr 127.0.0.1:8080 --workers 2 --app lab --static DIR
//	coreserver --list            the cores, what each cannot do and why, and the apps with their routes
//	coreserver --list --json     the same as one JSON document
//
// When it listens it prints one line on its standard output, and nothing after it:
//
//	coreserver: reactor listening on http://127.0.0.1:8080 workers=2 app=lab pid=4711
//
// SIGTERM and SIGINT make it take what waits in the backlog, stop accepting, finish what is in flight within --grace, and
// exit with 0; a second signal ends it at once, with 1. A kept connection has a tenth of a second for one more request, whose
// answer says Connection: close: a request that comes later was never accepted, and finds the connection ended in order and
// without a byte of an answer (RFC 9112 §9.6). It exits with 2 when it was called wrongly and with 1 when the machine refused
// something; standard error then says what, and what to do next.
//
// # A gateway
//
// With --app gateway it is an API gateway, of the configuration in the file of --config; apps/gateway/example.toml is one to
// begin with, package apps/gateway says how it works. A new configuration is taken over when the file changes, at SIGHUP, and
// by the admin interface; standard error says how that went. One with anything wrong in it is refused as a whole.
//
// # Restart
//
// SIGUSR2 has a new process of the same command, and of whatever the executable is by then, take this one's place. It is
// given the listeners, so that nobody is refused; when it serves, this process drains and exits with 0. Where the new process
// does not come so far, or the core cannot hand its listeners over (sequential, pool, evio), this one stays, and says why. The
// new process prints its own listening line. --stats-fd and --pprof belong to one process: with them there is no restart.
// What a gateway has counted, its limits and its breakers begin anew.
//
// # Figures from inside
//
// With --stats-fd N, file descriptor N is a stream that the starter keeps the other end of: one end of a Unix socketpair,
// read and written. For each line read from it one line of JSON is written to it; bytes that arrive without a line end
// ask once as well. The end of the stream ends the service, not the server.
//
//	{"runtime":{"allocs":812,"alloc_bytes":90112,"gc_cycles":0,"goroutines":7,"heap_kib":310},
//	 "workers":[{"accepted":32,"open":32,"requests":80211,"errors":0}]}
//
// (in one line). allocs, alloc_bytes and gc_cycles count from the start of the process, so that a difference of two
// answers belongs to the time between them; the runtime may count up to one span of memory for each size of object late.
// workers has one element for each loop or thread of the core, and shows an uneven SO_REUSEPORT.
//
// # What is planted
//
// With --ballast 200ns every request that a route serves costs 200 ns of CPU time more: one spin of 2 µs or more on every
// so many requests, counted for each loop or thread. A spin is a number of turns, calibrated at the start; no clock is read
// while serving. What was calibrated is said in a line on standard error, and in the answers on --stats-fd:
//
//	"ballast":{"request_ns":200,"every":10,"spin_ns":2000,"turns":1556,"turn_ns":1.2853,"check_ns":1.2853}
//
// turn_ns is the cost of a turn, and check_ns what a second calibration says; where they differ the machine is not steady. A machine that changes its speed later changes the cost of the turns with that of all else. raw
// has no routes, and takes no ballast.
//
// With --app planted, flags that begin with --plant- have /planted answer late, never or wrongly, or cost more: the table
// is in package apps/planted.
//
//	coreserver --app planted --plant-late 0.02@50ms
//	coreserver --app planted --plant-stall 100ms@1s --plant-wrong 1000
//
// # For testers
//
// With --app probe it shows what it made of a request: content sent back, field lines and cookies as they came. That is what
// corelab check, h1spec and Http11Probe ask for; the table is in package apps/probe.
//
// # Profiles
//
// With --pprof ADDR the profiles of runtime/pprof are served on a listener of their own, in the layout that "go tool
// pprof" expects: /debug/pprof/profile?seconds=N for the CPU, /debug/pprof/heap and the others. They are served by the
// goroutine core; net/http is not linked. A profiled run is never ranked.
//
// They can be had without a port as well, on --stats-fd: the line "profile begin" starts to sample the CPU, what blocks and
// what waits for locks, at rates that no other run pays for, and "profile end" is answered with all profiles, gzipped and in
// base64, by the names that they have in a record:
//
//	{"profiling":false,"profiles":{"go-block":"H4sI…","go-cpu":"H4sI…","go-goroutine":"…","go-heap":"…","go-mutex":"…"}}
package main
