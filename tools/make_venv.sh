#!/usr/bin/env bash
# tools/make_venv.sh [REQUIREMENTS FOLDER]
# Makes a virtual environment with what a file pins: .venv with tests/requirements.txt by default. A
# stamp with the file's name and hash marks it whole, so that a warm run needs no network; several
# files may share a folder. TORCH_PIP_ARGS are arguments for the installation of torch, such as an
# index of CPU wheels.
set -euo pipefail
cd "$(dirname "$0")/.."

stop() {
  echo "m2: $*" >&2
  exit 1
}

requirements="${1:-tests/requirements.txt}"
folder="${2:-.venv}"
name="${requirements##*/}"
name="${name%.txt}"
stamp="$folder/$name-$(sha256sum "$requirements" | cut -c 1-16)"
if [[ -f "$stamp" ]] && "$folder/bin/python" -c '' 2>/dev/null; then exit 0; fi

command -v python3 >/dev/null || stop "this needs Python 3.11 or newer, and there is no python3"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  stop "this needs Python 3.11 or newer; python3 is $(python3 -V 2>&1)"

mkdir -p build
log=build/make_venv.log
echo "m2: making $folder from $requirements (log: $log)"
: >"$log"
if ! "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
  python3 -m venv --clear "$folder" >>"$log" 2>&1 || stop "python3 -m venv failed (see $log)"
fi
rm -f "$folder/$name"-????????????????

install() {
  "$folder/bin/python" -m pip install --no-input --disable-pip-version-check "$@" >>"$log" 2>&1 </dev/null ||
    stop "pip could not install what $requirements pins; is there a network? (see $log)"
}
# shellcheck disable=SC2086
if torch="$(grep '^torch==' "$requirements")"; then install ${TORCH_PIP_ARGS:-} "$torch"; fi
install -r "$requirements"
touch "$stamp"
