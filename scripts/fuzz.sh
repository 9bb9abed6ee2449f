#!/usr/bin/env bash
# fuzz.sh TIME: each fuzz target for that long, one after the other. What it finds is written to the target's testdata/fuzz,
# to be committed with the mend. With FUZZ_SEED the dice are always the same ones, thrown by one worker: `make test` is
# to find what a change has broken, not what luck brings tonight.
set -euo pipefail
time=${1:?how long for each, for example 20s}
targets=(
  handlers/intake:FuzzJSON
  handlers/intake:FuzzBase64
  phone:FuzzParse
  handlers:FuzzFileName
  browser:FuzzBridgeEvent
  webhook:FuzzCheckURL
)
if [[ ${2:-} == all ]]; then
  targets+=(handlers/intake:FuzzForm handlers:FuzzTiming browser:FuzzUnquote media:FuzzDisposition fetch:FuzzName)
fi
dice=()
if [[ -n ${FUZZ_SEED:-} ]]; then
  export GODEBUG=${GODEBUG:+$GODEBUG,}fuzzseed=$FUZZ_SEED
  dice=(-parallel 1)
fi
for t in "${targets[@]}"; do
  echo "fuzz ${t#*:} $time"
  go test "./${t%%:*}" -run '^$' -fuzz "^${t#*:}\$" -fuzztime "$time" "${dice[@]}" | grep -E -v '^fuzz: elapsed' || { echo "${t#*:} has found something" >&2; exit 1; }
done
