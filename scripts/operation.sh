#!/bin/sh
# Takes over 1,000 configurations (RELOADS) and has new processes take the place of old ones 10 times (RESTARTS), each under
# load, and fails if one request does. The tests do the same with fewer.
set -eu
cd "$(dirname "$0")/.."
CORELAB_RELOADS="${RELOADS:-1000}" CORELAB_RESTARTS="${RESTARTS:-10}" \
  go test ./cmd/coreserver -count=1 -v -timeout 30m -run 'TestReloadUnderLoad|TestGatewayRestart|TestRestartUnderLoad'
