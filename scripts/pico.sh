#!/bin/sh
# Builds bin/pico, the program that times picohttpparser, from Debian's source package of h2o, as root or not. The source is
# fetched into bin/, and none of it is kept elsewhere. Where it cannot be had, or with NO_INSTALL=1, it says so: the
# benchmark leaves picohttpparser out.
set -u
cd "$(dirname "$0")/.." || exit 1
say() { printf 'pico: %s: the benchmark leaves out picohttpparser\n' "$*" >&2; }
dir=$PWD/bin/picohttpparser
if [ ! -e "$dir/picohttpparser.c" ]; then
  [ -z "${NO_INSTALL:-}" ] || { say "NO_INSTALL is set"; exit 0; }
  command -v apt-get >/dev/null 2>&1 || { say "there is no apt-get"; exit 0; }
  mkdir -p "$dir/lists/partial"
  . /etc/os-release
  echo "deb-src http://deb.debian.org/debian ${VERSION_CODENAME:-bookworm} main" >"$dir/sources.list"
  # Lists and caches of its own: those of the machine stay as they are.
  apt="apt-get -o Dir::Etc::sourcelist=$dir/sources.list -o Dir::Etc::sourceparts=- -o Dir::State::lists=$dir/lists"
  apt="$apt -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache="
  (cd "$dir" && $apt update && $apt --download-only source h2o &&
    tar -xf h2o_*.orig.tar.* --strip-components=3 --wildcards '*/deps/picohttpparser/picohttpparser.[ch]') >/dev/null 2>&1 ||
    { say "its source cannot be fetched"; exit 0; }
fi
# With the CPU's own instructions: without SSE 4.2 it would not be what it is known for.
"${CC:-cc}" -O3 -march=native -I"$dir" -o bin/pico httpcore/rivals/pico/pico.c "$dir/picohttpparser.c" ||
  say "it cannot be compiled"
exit 0
