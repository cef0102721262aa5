#!/usr/bin/env bash
# tools/lint.sh [FILE.cpp...]
# clang-tidy, as pinned, with the checks of .clang-tidy, over the named sources or all of src/.
# It reads the compile commands of the release build.
set -euo pipefail
cd "$(dirname "$0")/.."

files=("$@")
if [[ ${#files[@]} -eq 0 ]]; then
  mapfile -t files < <(find src -name '*.cpp' ! -name '*unicode_tables*' | sort)
fi
# g++'s warnings are g++'s business; clang would not know some of their names.
printf '%s\0' "${files[@]}" |
  xargs -0 -r -n 4 -P "$(nproc)" .venv/bin/clang-tidy --quiet -p build/release \
    --extra-arg=-w 2> >(grep -v -E 'warnings? generated|^Suppressed|^Use -' >&2 || true)
echo "lint: ${#files[@]} files clean"
