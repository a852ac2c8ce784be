# make bench      measure all cores and nginx, and print the tables (BUDGET=10m of measuring)
# make test       all tests, checks, a short fuzz, and a smoke bench of every core
# make reference  the long run behind results/reference/ (about an hour)
# make publish    take RUN=results/latest as the reference run, and show it in the README
# NO_INSTALL=1    install nothing; what is missing is left out, and said

BUDGET       ?= 10m
FUZZTIME     ?= 5s
STATICCHECK  := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GO           ?= go
export NO_INSTALL

.DEFAULT_GOAL := help
.PHONY: help build tools bench reference publish readme test check race fuzz smoke clean

help:
	@sed -n 's/^# //p' Makefile

build:
	$(GO) build -o bin/ ./cmd/...

tools:
	@scripts/tools.sh wrk nginx perf

bench: tools build
	bin/corelab bench --plan standard --budget $(BUDGET)

reference: tools build
	bin/corelab bench --plan reference

RUN ?= results/latest
publish: build
	mkdir -p results/reference/bench
	bin/corelab report $(RUN) --format slim > results/reference/bench/run.jsonl
	$(MAKE) readme

# The README's table and pictures come from results/reference/.
readme: build
	$(GO) test -count=1 -run 'TestReadmeTable|TestReferenceReport' . -update

test: tools build check race fuzz smoke

check:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt these:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) test -count=1 ./...

race:
	$(GO) test -count=1 -race ./httpcore/... ./servers/... ./apps/... ./runner/... ./results/... ./cmd/...

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
