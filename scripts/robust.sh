#!/bin/sh
# The runs behind results/reference/check, siege and soak: is each core right, what do hostile clients cost it, does anything
# grow. The machine should have nothing else to do.
set -eu

corelab=bin/corelab
reference=results/reference
cores="sequential goroutine pool epoll epollpool reactor uring evio"
peers="nginx haproxy h2o nethttp fasthttp"

# publish RUN AS: keep the record of a run.
publish() {
  mkdir -p "$reference/$2"
  "$corelab" report "$1" --format slim >"$reference/$2/run.jsonl"
}

# A server that fails a MUST, as peers do, ends a check with 3: that is what it is about.
mkdir -p $reference/check
$corelab check $cores $peers --markdown >$reference/check/report.md || [ $? = 3 ]

# The generator must have CPU time to spare: the hostile clients take only what it leaves. A core of a blocking kind does not
# hold, which ends a siege with 3.
$corelab siege reactor epoll epollpool uring goroutine pool --kind heads,bodies,readers,silent --rounds 8 -d 3s -c 64 || [ $? = 3 ]
publish results/latest siege

$corelab soak reactor --for 15m
publish results/latest soak
