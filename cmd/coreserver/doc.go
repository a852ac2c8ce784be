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
// SIGTERM and SIGINT make it stop accepting, finish what is in flight within --grace, and exit with 0; a second signal
// ends it at once, with 1. It exits with 2 when it was called wrongly and with 1 when the machine refused something;
// standard error then says what, and what to do next.
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
// # Profiles
//
// With --pprof ADDR the profiles of runtime/pprof are served on a listener of their own, in the layout that "go tool
// pprof" expects: /debug/pprof/profile?seconds=N for the CPU, /debug/pprof/heap and the others. They are served by the
// goroutine core; net/http is not linked. A profiled run is never ranked.
package main
