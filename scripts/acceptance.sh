#!/usr/bin/env bash
# Compares reactor with itself, and with itself when it burns 3 % more CPU, many times; each comparison is a line of JSON in
# results/reference/compare/. TestAcceptance counts what came out, and writes the page there: make acceptance does both.
#
#   scripts/acceptance.sh           40 of 30 s, 20 of 60 s: about 40 minutes on a machine that does nothing else
#   scripts/acceptance.sh 2 1       fewer of each, to see it work: the test then refuses the record
#   OUT=/tmp/mine scripts/acceptance.sh 2 1    elsewhere
set -euo pipefail
cd "$(dirname "$0")/.."

same=${1:-40}
planted=${2:-20}
out=${OUT:-results/reference/compare}
runs=bin/acceptance

mkdir -p "$out" "$runs"
rm -f "$out/aa.jsonl" "$out/planted.jsonl"
compare() { bin/corelab compare "$@" --json --out "$runs"; }

for i in $(seq "$same"); do
  echo "A/A $i of $same" >&2
  compare reactor reactor --max 30s --precision 0 >>"$out/aa.jsonl" || echo "it ended with $?" >&2
done

# 3 % of what a request costs here, as the last of these comparisons found: 210 ns or so.
cost=$(tail -n 1 "$out/aa.jsonl" | sed -E 's/.*"figure":"cpu",[^}]*"a":([0-9]+).*/\1/')
ballast=$((cost * 3 / 100))ns
for i in $(seq "$planted"); do
  echo "planted $ballast, $i of $planted" >&2
  compare reactor "reactor --ballast $ballast" --max 60s >>"$out/planted.jsonl" || echo "it ended with $?" >&2
done
