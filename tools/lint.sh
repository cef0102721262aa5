#!/usr/bin/env bash
# tools/lint.sh [FILE.cpp...]
# clang-tidy, as pinned, with the checks of .clang-tidy, over the named sources or all of src/ that does
# not include torch: a file that does takes a minute, so those are linted where they are named.
# It reads the compile commands of the release build.
set -euo pipefail
cd "$(dirname "$0")/.."

files=("$@")
if [[ ${#files[@]} -eq 0 ]]; then
  mapfile -t files < <(find src -name '*.cpp' ! -name '*unicode_tables*' ! -path 'src/torch_ops/*' \
    ! -path 'src/train/models/*' ! -path 'src/train/optimizers/*' ! -path 'src/train/loop/*' \
    ! -path 'src/apps/m2_train/*' | sort)
fi
# -w: g++'s warnings are g++'s business, and clang would not know some of their names. Of g++'s own headers
# clang lacks omp.h alone.
own_headers="$(dirname "$(g++ -print-file-name=include/omp.h)")"
log=build/lint.log
if printf '%s\0' "${files[@]}" | xargs -0 -r -n 4 -P "$(nproc)" \
  .venv/bin/clang-tidy --quiet -p build/release --extra-arg=-w "--extra-arg=-idirafter$own_headers" >"$log" 2>&1; then
  echo "lint: ${#files[@]} files clean"
else
  grep -v -E '^\[[0-9]+/[0-9]+\] Processing|warnings? .*generated|^Suppressed|^Use -header' "$log" >&2 || true
  echo "lint: findings above (all of it: $log)" >&2
  exit 1
fi
