#!/usr/bin/env bash
# tools/format.sh [--check]
# clang-format, as pinned, over the project's C++; --check changes nothing and fails on a difference.
# Generated tables are left out.
set -euo pipefail
cd "$(dirname "$0")/.."

folders=()
for folder in include src tests bench examples; do
  if [[ -d $folder ]]; then folders+=("$folder"); fi
done
mode=(-i)
if [[ "${1:-}" == --check ]]; then mode=(--dry-run --Werror); fi
find "${folders[@]}" -type f \( -name '*.cpp' -o -name '*.h' -o -name '*.hpp' -o -name '*.c' -o -name '*.cu' \) \
  ! -name '*unicode_tables*' ! -path '*/.venv/*' -print0 | sort -z |
  xargs -0 -r .venv/bin/clang-format --style=file "${mode[@]}"
