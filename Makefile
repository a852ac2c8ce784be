# make bench      measure all cores and the peers, and print the tables (BUDGET=10m of measuring)
# make test       all tests, checks, a short fuzz, and a smoke bench of every core
# make reference  the long run behind results/reference/ (about an hour and a half)
# make acceptance compare a server with itself, and with 3 % planted, 60 times (half an hour), and count what was found
# make robust     check cores and peers against HTTP/1.1, besiege the cores, and soak one for 15 minutes (an hour)
# make vuln       look for known vulnerabilities in what the lab is made of; asks vuln.go.dev, or takes GOVULNDB=file:///…
# make publish    take RUN=results/latest as the reference run AS=bench, peers, profiled, selftest, tuning, generators, siege or soak, and show it in the README
# make tuning     what each step of results/reference/tuning.toml gave (ten minutes); publish it AS=tuning
# make pgo        record anew by which profile coreserver is built (a minute)
# make contest    the head parser next to those of others, and the router with ever more routes, into results/reference/
# NO_INSTALL=1    install nothing; what is missing is left out, and said

BUDGET       ?= 10m
FUZZTIME     ?= 2s
STATICCHECK  := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK  := golang.org/x/vuln/cmd/govulncheck@v1.9.0
GOVULNDB     ?= https://vuln.go.dev
GO           ?= go
export NO_INSTALL

.DEFAULT_GOAL := help
.PHONY: help build peers limits tools browser components bench reference acceptance robust tuning pgo contest vuln publish readme test check race fuzz smoke clean

help:
	@sed -n 's/^# //p' Makefile

build: peers limits
	$(GO) build -o bin/ ./cmd/...

# The peers written in Go are a module of their own, with dependencies that the lab does not have: where these cannot be
# had, it measures without them.
PEERS := runner/target/peers
peers:
	@$(GO) build -C $(PEERS) -o $(CURDIR)/bin/ ./cmd/peerserver || \
	  echo "peers: $(PEERS) cannot be built: the lab leaves out nethttp, fasthttp, gnet, nbio, hertz and netpoll" >&2

# The limits are in C, and the one of io_uring needs the kernel's header: where these are missing, it measures without them.
LIMIT := runner/target/limit
BIN   := bin
limits: $(BIN)/limit-epoll $(BIN)/limit-uring
$(BIN)/limit-%: $(LIMIT)/%.c $(LIMIT)/canned.c $(LIMIT)/canned.h
	@mkdir -p $(BIN)
	@$(CC) -O2 -Wall -Wextra -o $@ $< $(LIMIT)/canned.c || \
	  echo "limits: $@ cannot be compiled (a C compiler and Linux's headers are needed): the lab leaves out limit-$*" >&2

tools:
	@scripts/tools.sh wrk nginx nginx-lua haproxy h2o caddy h2load perf cc

# The pages are tested in a browser, the gateway with Redis and with Prometheus's tool.
browser:
	@scripts/tools.sh chromium

components:
	@scripts/tools.sh redis-server promtool

bench: tools build
	bin/corelab bench --plan standard --budget $(BUDGET)

reference: tools build
	bin/corelab bench --plan reference

acceptance: build
	scripts/acceptance.sh
	$(GO) test -count=1 -run TestAcceptance . -update

robust: tools build
	scripts/robust.sh
	$(MAKE) readme

vuln:
	$(GO) run $(GOVULNCHECK) -db $(GOVULNDB) ./...
	$(GO) run -C $(PEERS) $(GOVULNCHECK) -db $(GOVULNDB) ./...

tuning: build
	bin/corelab tuning results/reference/tuning.toml --profile

pgo: build
	scripts/pgo.sh

# The head parser next to those of others, and the router with ever more routes, in interleaved rounds of a minute in all.
CONTEST_ROUNDS ?= 10
contest:
	@mkdir -p bin results/reference/parse results/reference/route
	@scripts/pico.sh
	$(GO) test -C httpcore/rivals -c -o $(CURDIR)/bin/rivals.test .
	$(GO) test -c -o bin/httpcore.test ./httpcore
	@rm -f bin/parse.txt bin/route.txt
	@for round in $$(seq $(CONTEST_ROUNDS)); do \
	  (cd httpcore/rivals && $(CURDIR)/bin/rivals.test -test.run '^$$' -test.bench Head -test.benchtime 50ms) >>bin/parse.txt && \
	  bin/httpcore.test -test.run '^$$' -test.bench Router -test.benchtime 50ms >>bin/route.txt || exit 1; \
	done
	cp bin/parse.txt results/reference/parse/bench.txt
	cp bin/route.txt results/reference/route/bench.txt
	$(GO) test -count=1 -run TestReferenceContests . -update

RUN ?= results/latest
AS  ?= bench
publish: build
	mkdir -p results/reference/$(AS)
	bin/corelab report $(RUN) --format slim > results/reference/$(AS)/run.jsonl
	rm -rf results/reference/$(AS)/profiles results/reference/$(AS)/flame
	if [ -d $(RUN)/profiles ]; then mkdir results/reference/$(AS)/profiles && cp $(RUN)/profiles/*.pb.gz results/reference/$(AS)/profiles/; fi
	$(MAKE) readme

# The README's table and pictures come from results/reference/.
readme: build
	$(GO) test -count=1 -run 'TestReadmeTable|TestReferenceReport' . -update

test: tools browser components build check race fuzz smoke

check:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt these:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) vet -C $(PEERS) ./...
	$(GO) vet -C httpcore/rivals ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) run -C $(PEERS) $(STATICCHECK) ./...
	$(GO) run -C httpcore/rivals $(STATICCHECK) ./...
	scripts/gotest.sh -count=1 -timeout 20m ./...
	$(GO) test -C $(PEERS) -count=1 ./...
	$(GO) test -C httpcore/rivals -count=1 ./...
	GOEXPERIMENT=simd $(GO) test -count=1 ./httpcore

# Under the race detector a measurement is of the detector, simulations and what fills buffers take minutes, and what a
# browser shows is the same: check runs these.
# The tests of cmd/corelab look at processes that are built without it; those of cmd/coreserver build theirs with it.
MEASURE := TestKilledAtAnyMoment|TestLive(Verdicts|TooNoisy|Bottlenecks|Disturbed)|TestCompareFindsWhatIsPlanted|TestCompareKeepsItsTime|TestQuickSelftest|TestIntervalCovers|TestSiege|TestBenchOneCore|TestInterruptedSelftest|TestFullDiskMidRun|Browser|TestPlanted|TestProbe(Backpressure|Echo|Waits)

race:
	scripts/gotest.sh -count=1 -timeout 20m -race -skip '$(MEASURE)' ./httpcore/... ./servers/... ./apps/... ./runner/... ./results/... ./cmd/coreserver/...

# One fuzz target at a time: go test takes no more.
fuzz:
	@for dir in $$($(GO) list -f '{{.Dir}}' ./...); do \
	  for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' $$dir/*_test.go 2>/dev/null | sed 's/func //'); do \
	    (cd $$dir && echo "fuzz $$target" && $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) . >.fuzz.out 2>&1 \
	      && rm .fuzz.out || { cat .fuzz.out; rm .fuzz.out; exit 1; }) || exit 1; \
	  done; \
	done

smoke: build
	bin/corelab bench --plan smoke --out bin/smoke

clean:
	rm -rf bin
