#!/usr/bin/env bash
# tools/fuzz.sh SECONDS
# Builds the fuzzers of tests/fuzz with clang and runs each for SECONDS. A fuzzer's seeds are in
# tests/fuzz/corpus/NAME, what it finds on the way in build/fuzz/corpus/NAME, crashes in
# build/fuzz/crashes. Fails when one of them found a fault.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds="${1:-20}"
if [[ ! -f tests/fuzz/CMakeLists.txt ]]; then
  echo "m2: there are no fuzzers yet (tests/fuzz has no CMakeLists.txt)"
  exit 0
fi
M2_BUILD_TESTS=OFF tools/build.sh fuzz tests/fuzz/all

mapfile -t fuzzers < <(find build/fuzz/tests/fuzz -maxdepth 1 -type f -executable -name '*_fuzz' | sort)
if [[ ${#fuzzers[@]} -eq 0 ]]; then
  echo "m2: tests/fuzz built no program named *_fuzz" >&2
  exit 1
fi
mkdir -p build/fuzz/crashes
failed=()
for fuzzer in "${fuzzers[@]}"; do
  name="$(basename "$fuzzer")"
  corpus="build/fuzz/corpus/$name"
  mkdir -p "$corpus"
  seeds=()
  if [[ -d "tests/fuzz/corpus/$name" ]]; then seeds=("tests/fuzz/corpus/$name"); fi
  log="build/fuzz/$name.log"
  if "$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/crashes/$name-" "$corpus" "${seeds[@]}" >"$log" 2>&1; then
    echo "$name: clean, $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs"
  else
    failed+=("$name")
    tail -n 40 "$log" >&2
    echo "$name: FAULT (see $log)" >&2
  fi
done
echo "fuzz: $((${#fuzzers[@]} - ${#failed[@]})) clean, ${#failed[@]} failed, $seconds s each"
[[ ${#failed[@]} -eq 0 ]]
