#!/bin/sh
# go test with the arguments given, by gotestsum, which says at the end what was skipped, and why. With CI set, what CI must run
# must run there: a skip that scripts/skips.txt does not have is a failure.
set -eu

gotestsum=gotest.tools/gotestsum@v1.13.0
events=$(mktemp)
trap 'rm -f "$events"' EXIT
go run $gotestsum --format pkgname --jsonfile "$events" -- "$@"
[ -n "${CI:-}" ] || exit 0
unexpected=$(sed -n 's/.*"Action":"skip","Package":"\([^"]*\)","Test":"\([^"]*\)".*/\1 \2/p' "$events" | grep -vxF -f "$(dirname "$0")/skips.txt" || true)
[ -z "$unexpected" ] || { printf 'gotest: skipped, and not in scripts/skips.txt:\n%s\n' "$unexpected" >&2; exit 1; }
