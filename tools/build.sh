#!/usr/bin/env bash
# tools/build.sh PRESET [ninja target...]
# Configures a preset once and builds it. M2_BUILD_TESTS=ON or OFF overrides what the build folder
# already holds, which is OFF for a new one: the program alone needs no test packages.
set -euo pipefail
cd "$(dirname "$0")/.."

preset="$1"
shift
folder="build/$preset"
tests="${M2_BUILD_TESTS:-}"
cached=""
if [[ -f "$folder/build.ninja" ]]; then
  cached="$(sed -n 's/^M2_BUILD_TESTS:BOOL=//p' "$folder/CMakeCache.txt")"
fi
if [[ -z "$cached" || ( -n "$tests" && "$tests" != "$cached" ) ||
  CMakePresets.json -nt "$folder/build.ninja" ]]; then
  mkdir -p "$folder"
  wanted="${tests:-${cached:-OFF}}"
  log="$folder/configure.log"
  cmake --preset "$preset" -DM2_BUILD_TESTS="$wanted" >"$log" 2>&1 || {
    cat "$log" >&2
    echo "m2: cmake could not configure the preset '$preset'" >&2
    exit 1
  }
fi
# The same cache serves every copy of the tree.
export CCACHE_BASEDIR="${CCACHE_BASEDIR:-$PWD}" CCACHE_NOHASHDIR=1
cmake --build "$folder" ${1:+--target "$@"}
