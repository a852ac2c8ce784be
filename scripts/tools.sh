#!/bin/sh
# Installs the tools named as arguments (wrk, nginx, nginx-lua, haproxy, h2o, caddy, h2load, perf, cc, chromium, redis-server,
# promtool) where they are missing, on Debian and Ubuntu as root. Elsewhere, or with NO_INSTALL=1, it says what is missing and how
# to get it: the lab leaves out what needs it, and goes on.
set -u

missing=
for tool in "$@"; do
  if [ "$tool" = nginx-lua ]; then # a module of nginx, and a library of Lua's
    [ -e /usr/lib/nginx/modules/ngx_http_lua_module.so ] && ls /usr/lib/*/lua/5.1/cjson.so >/dev/null 2>&1 || missing="$missing $tool"
    continue
  fi
  command -v "$tool" >/dev/null 2>&1 || [ -x "/usr/sbin/$tool" ] || missing="$missing $tool"
done
[ -n "$missing" ] || exit 0

packages=
for tool in $missing; do
  case $tool in
    nginx) packages="$packages nginx-light" ;;
    nginx-lua) packages="$packages libnginx-mod-http-lua lua-cjson" ;;
    perf) packages="$packages linux-perf" ;;
    promtool) packages="$packages prometheus" ;;
    h2load) packages="$packages nghttp2-client" ;;
    cc) packages="$packages gcc libc6-dev" ;;
    *) packages="$packages $tool" ;;
  esac
done
# Ubuntu ships perf under another name.
if [ -r /etc/os-release ] && grep -q '^ID=ubuntu' /etc/os-release; then
  packages=$(printf '%s' "$packages" | sed 's/linux-perf/linux-tools-generic/')
fi

say() { printf 'tools: %s\n' "$*" >&2; }
if [ -n "${NO_INSTALL:-}" ]; then
  say "missing:$missing (NO_INSTALL is set). To install: apt-get install$packages"
elif [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  say "missing:$missing. To install, as root: apt-get install$packages"
else
  say "installing$packages (NO_INSTALL=1 forbids it)"
  export DEBIAN_FRONTEND=noninteractive
  # A package that starts its server at once would take port 80 and CPU time beside the measurement.
  policy=/usr/sbin/policy-rc.d
  made=
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy && made=1
  fi
  apt-get update >/dev/null </dev/null || say "apt-get update failed"
  # One by one: a release that lacks one of them still has the others.
  for package in $packages; do
    apt-get install -y --no-install-recommends "$package" >/dev/null </dev/null ||
      say "apt-get failed; without $package the lab leaves out what needs it"
  done
  [ -z "$made" ] || rm -f $policy
fi
exit 0
