// Package rivals holds httpcore's head parser against those of others: fasthttp's, net/http's and picohttpparser. It is a
// module of its own, because httpcore and the lab need none of them, and has benchmarks only. `make parse` runs them in
// rounds, and writes results/reference/parse/.
//
// picohttpparser is C. It runs in a process of its own, bin/pico, which pico/pico.c is around it; `make parse` has it from
// Debian's source package of h2o, and none of its code is here. Where the program is missing its rows are, and it is said.
package rivals
