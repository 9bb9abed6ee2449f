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
beside=1 dice=()
if [[ -n ${FUZZ_SEED:-} ]]; then
  export GODEBUG=${GODEBUG:+$GODEBUG,}fuzzseed=$FUZZ_SEED
  beside=2 dice=(-parallel 1)
fi
one() { # DIR:TARGET TIME [FLAG...]
  local dir=${1%%:*} name=${1#*:} out
  if out=$(go test "./$dir" -run '^$' -fuzz "^$name\$" -fuzztime "${@:2}" 2>&1) && [[ $out != *"no fuzz tests"* ]]; then
    echo "fuzz $name $2: $(tail -n 1 <<<"$out")"
  else
    echo "$out"
    echo "$name has found something" >&2
    return 1
  fi
}
export -f one
printf '%s\n' "${targets[@]}" | xargs -P "$beside" -I{} bash -c 'one "$@"' one {} "$time" "${dice[@]}"
