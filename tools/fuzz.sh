#!/usr/bin/env bash
# tools/fuzz.sh SECONDS
# Builds the fuzzers of tests/fuzz with clang and runs each for SECONDS. A fuzzer's seeds are in
# tests/fuzz/corpus/NAME, its words in tests/fuzz/dictionary/NAME, what it finds on the way in
# build/fuzz/corpus/NAME, crashes in build/fuzz/crashes. Says of each how many inputs it ran and what they
# reached: edges of the code that is read, and features (how often an edge ran, what was compared).
# Fails when one of them found a fault.
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

# The line of a clean run, from libFuzzer's last: "#812345 DONE   cov: 1234 ft: 5678 … exec/s: 13200 …".
report() {  # NAME LOG
  awk -v name="$1" '
    function grouped(n) {
      n = n ""
      while (match(n, /[0-9][0-9][0-9][0-9]($|,)/)) n = substr(n, 1, RSTART) "," substr(n, RSTART + 1)
      return n
    }
    function after(key,   i) {
      for (i = 1; i < NF; ++i) if ($i == key) return $(i + 1)
      return "?"
    }
    $2 == "DONE" {
      line = name ": clean, " grouped(substr($1, 2)) " inputs, " grouped(after("exec/s:")) "/s, " \
             grouped(after("cov:")) " edges, " grouped(after("ft:")) " features"
    }
    END { print line != "" ? line : name ": clean" }' "$2"
}
failed=()
for fuzzer in "${fuzzers[@]}"; do
  name="$(basename "$fuzzer")"
  corpus="build/fuzz/corpus/$name"
  mkdir -p "$corpus"
  seeds=()
  if [[ -d "tests/fuzz/corpus/$name" ]]; then seeds=("tests/fuzz/corpus/$name"); fi
  words=()
  if [[ -f "tests/fuzz/dictionary/$name" ]]; then words=("-dict=tests/fuzz/dictionary/$name"); fi
  log="build/fuzz/$name.log"
  if "$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/crashes/$name-" "${words[@]}" "$corpus" "${seeds[@]}" >"$log" 2>&1; then
    report "${name%_fuzz}" "$log"
  else
    failed+=("$name")
    tail -n 40 "$log" >&2
    echo "$name: FAULT (see $log)" >&2
  fi
done
echo "fuzz: $((${#fuzzers[@]} - ${#failed[@]})) clean, ${#failed[@]} failed, $seconds s each"
[[ ${#failed[@]} -eq 0 ]]
