#!/usr/bin/env bash
# Compares reactor with itself, and with itself when it burns 3 % more CPU, many times; each comparison is a line of JSON in
# results/reference/compare/. TestAcceptance counts what came out, and writes the page there: make acceptance does both.
#
#   scripts/acceptance.sh           40 of 30 s, 20 of 60 s: about 40 minutes on a machine that does nothing else
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
rm -rf "$runs"
compare() { bin/corelab compare "${@:2}" --out "$runs/$1" >/dev/null || echo "it ended with $?" >&2; }

for i in $(seq "$same"); do
  echo "A/A $i of $same" >&2
  compare aa reactor reactor --max 30s --precision 0
done
judge aa

# 3 % of what a request costs here, as the last of these comparisons found: 210 ns or so.
cost=$(tail -n 1 "$out/aa.jsonl" | sed -E 's/.*"figure":"cpu",[^}]*"a":([0-9]+).*/\1/')
ballast=$((cost * 3 / 100))ns
for i in $(seq "$planted"); do
  echo "planted $ballast, $i of $planted" >&2
  compare planted reactor "reactor --ballast $ballast" --max 60s
done
judge planted
