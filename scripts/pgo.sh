#!/usr/bin/env bash
# Makes cmd/coreserver/default.pgo, which go build finds by itself: where coreserver's own code spends its time, by Go's
# profiler, while our generator loads it with what a server is asked most. Building with another one changes speed alone.
#
#   scripts/pgo.sh                  about a minute; wants bin/corelab, and a machine that does nothing else
#   OUT=/tmp/mine.pgo scripts/pgo.sh    elsewhere
#   SECONDS_EACH=1 scripts/pgo.sh   to see it work
#
# The server is built without a profile: one that was made by itself would sample what it had inlined already.
set -euo pipefail
cd "$(dirname "$0")/.."

out=${OUT:-cmd/coreserver/default.pgo}
each=${SECONDS_EACH:-4}
work=$(mktemp -d)
server=
cleanup() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

go build -pgo=off -o "$work/coreserver" ./cmd/coreserver

# profile CORE NAME [LOAD FLAGS] PATH: one profile into $work/NAME.pb.gz
profile() {
  local core=$1 name=$2
  shift 2
  local flags=("${@:1:$#-1}") path=${*: -1} line url pprof
  : >"$work/$name.out"
  "$work/coreserver" --core "$core" --addr 127.0.0.1:0 --workers 1 --pprof 127.0.0.1:0 >"$work/$name.out" 2>"$work/$name.err" &
  server=$!
  until line=$(grep -m1 'listening on' "$work/$name.out"); do kill -0 "$server"; done
  url=$(grep -oE 'http://[0-9.:]+' <<<"$line")
  pprof=$(grep -m1 -oE 'http://[0-9.:]+' "$work/$name.err")
  bin/corelab load "$url$path" -c 64 -d "$((each + 1))s" --warmup 200ms "${flags[@]}" >/dev/null &
  local load=$!
  curl -sSf -o "$work/$name.pb.gz" "$pprof/debug/pprof/profile?seconds=$each"
  wait "$load"
  kill "$server"
  wait "$server" || true
  server=
  echo "$core $path ${flags[*]}" >&2
}

profile reactor plaintext /plaintext
profile reactor pipelined --pipeline 16 /plaintext
profile reactor user /users/42
profile reactor json /json/10
profile reactor echo --method POST --body 0123456789abcdef0123456789abcdef /echo
profile reactor churn --new-conn /plaintext
profile goroutine goroutine /plaintext
profile epollpool epollpool /plaintext

# Addresses and mappings would differ with each build of the tool chain; what the compiler reads is functions and lines.
go tool pprof -proto -output "$out" "$work"/*.pb.gz >/dev/null
echo "$out: $(wc -c <"$out") bytes" >&2
