#!/usr/bin/env bash
# tools/build.sh PRESET [ninja target...]
# Configures a preset once and builds it. M2_BUILD_TESTS and M2_BUILD_TRAINING, ON or OFF, override what
# the build folder already holds, which is OFF for a new one: the program alone needs neither test
# packages nor torch.
set -euo pipefail
cd "$(dirname "$0")/.."

preset="$1"
shift
folder="build/$preset"

cached() {  # OPTION: its value in the build folder, empty for a new folder
  [[ -f "$folder/build.ninja" ]] && sed -n "s/^$1:BOOL=//p" "$folder/CMakeCache.txt"
}

options=()
configure=no
for option in M2_BUILD_TESTS M2_BUILD_TRAINING; do
  held="$(cached "$option" || true)"
  wanted="${!option:-${held:-OFF}}"
  options+=("-D$option=$wanted")
  [[ "$held" == "$wanted" ]] || configure=yes
done
if [[ $configure == yes || CMakePresets.json -nt "$folder/build.ninja" ]]; then
  mkdir -p "$folder"
  log="$folder/configure.log"
  cmake --preset "$preset" "${options[@]}" >"$log" 2>&1 || {
    cat "$log" >&2
    echo "m2: cmake could not configure the preset '$preset'" >&2
    exit 1
  }
fi
# The same cache serves every copy of the tree.
export CCACHE_BASEDIR="${CCACHE_BASEDIR:-$PWD}" CCACHE_NOHASHDIR=1
cmake --build "$folder" ${1:+--target "$@"}
