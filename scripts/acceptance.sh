#!/usr/bin/env bash
# Compares reactor with itself, and with itself when it burns 3 % more CPU, many times; each comparison is a line of JSON in
# results/reference/compare/. TestAcceptance counts what came out, and writes the page there: make acceptance does both.
#
#   scripts/acceptance.sh           40 and 20 of 30 s: about half an hour on a machine that does nothing else
#   scripts/acceptance.sh 2 1       fewer of each, to see it work: the test then refuses the record
#   scripts/acceptance.sh judge     measures nothing: judges the runs again that the last time left in bin/acceptance/
#   OUT=/tmp/mine scripts/acceptance.sh 2 1    elsewhere
set -euo pipefail
cd "$(dirname "$0")/.."

out=${OUT:-results/reference/compare}
runs=bin/acceptance
mkdir -p "$out"

# judge KIND: the lines are made of the records alone, as corelab compare --json does at its end.
judge() {
  for run in "$runs/$1"/*-compare*/; do bin/corelab report "$run" --format json; done >"$out/$1.jsonl"
}
if [ "${1:-}" = judge ]; then
  judge aa
  judge planted
  exit
fi

same=${1:-40}
planted=${2:-20}
carried=20
[ "$same" = 0 ] || rm -rf "$runs"
rm -rf "$runs/planted"
compare() { bin/corelab compare "${@:2}" --out "$runs/$1" >/dev/null || echo "it ended with $?" >&2; }

for i in $(seq "$same"); do # none of them: those of the last time stay
  echo "A/A $i of $same" >&2
  compare aa reactor reactor --max 30s --precision 0
done
judge aa

# 3 % of what a request costs here, as the last of these comparisons found: 210 ns or so. Both sides carry a ballast, and B's
# is larger by that: carrying one at all costs some nanoseconds (a call, and its code in the CPU's cache), which would count as
# a difference that nobody planted.
cost=$(tail -n 1 "$out/aa.jsonl" | sed -E 's/.*"figure":"cpu",[^}]*"a":([0-9]+).*/\1/')
for i in $(seq "$planted"); do
  echo "planted $((cost * 3 / 100)) ns, $i of $planted" >&2
  compare planted "reactor --ballast ${carried}ns" "reactor --ballast $((carried + cost * 3 / 100))ns" --max 30s --precision 0
done
judge planted
