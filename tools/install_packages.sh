#!/usr/bin/env bash
# tools/install_packages.sh build|training|tests|clients|fuzz|browser...
# Sees to it that the system packages of the named groups are there. On Debian and Ubuntu it installs
# what is missing with apt-get; elsewhere it names what is missing and stops. When nothing is missing
# it touches neither the network nor the disk.
set -euo pipefail
cd "$(dirname "$0")/.."

# group, package, and how to see it on a system without dpkg: a command, or a header that compiles.
packages() {
  cat <<'TABLE'
build g++                command:g++
build cmake              command:cmake
build ninja-build        command:ninja
build ccache             command:ccache
build pkg-config         command:pkg-config
build libdnnl-dev        header:dnnl.hpp
build libhwy-dev         header:hwy/highway.h
build libcli11-dev       header:CLI/CLI.hpp
build nlohmann-json3-dev header:nlohmann/json.hpp
build libyaml-cpp-dev    header:yaml-cpp/yaml.h
build libspdlog-dev      header:spdlog/spdlog.h
build libfmt-dev         header:fmt/format.h
build zlib1g-dev         header:zlib.h
build libboost1.81-dev   header:boost/beast.hpp
build libcurl4-openssl-dev header:curl/curl.h
build libssl-dev         header:openssl/evp.h
build libzstd-dev        header:zstd.h
tests libgtest-dev       header:gtest/gtest.h
tests libgmock-dev       header:gmock/gmock.h
tests libbenchmark-dev   header:benchmark/benchmark.h
tests libfftw3-dev       header:fftw3.h
training python3         command:python3
training python3-venv    python:ensurepip
tests python3            command:python3
tests python3-venv       python:ensurepip
tests curl               command:curl
tests nginx-light        command:nginx
clients nodejs           command:node
clients npm              command:npm
fuzz  clang              command:clang++
fuzz  libclang-rt-14-dev command:clang++
browser chromium         command:chromium
TABLE
}

has_package() {  # by dpkg
  [[ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null)" == ?i* ]]
}

has_probe() {  # by trying it
  local name="${1#*:}"
  case "$1" in
    command:*) command -v "$name" >/dev/null ;;
    header:*) g++ -std=c++20 -E -include "$name" -x c++ /dev/null >/dev/null 2>&1 ;;
    python:*) python3 -c "import $name" >/dev/null 2>&1 ;;
  esac
}

stop() {
  echo "m2: $*" >&2
  exit 1
}

[[ $# -gt 0 ]] || stop "usage: tools/install_packages.sh build|training|tests|clients|fuzz|browser..."
debian=no
if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then debian=yes; fi

missing=()
for wanted in "$@"; do
  found=no
  while read -r group package probe; do
    [[ "$group" == "$wanted" ]] || continue
    found=yes
    if [[ $debian == yes ]]; then
      has_package "$package" || missing+=("$package")
    else
      has_probe "$probe" || missing+=("$package")
    fi
  done < <(packages)
  [[ $found == yes ]] || stop "no group of packages is called '$wanted'"
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

if [[ $debian == no ]]; then
  stop "this is not Debian or Ubuntu: install what these Debian packages hold, then try again: ${missing[*]}"
fi
as_root=()
if [[ $(id -u) -ne 0 ]]; then
  command -v sudo >/dev/null ||
    stop "packages are missing and there is no sudo: as root, run: apt-get install ${missing[*]}"
  as_root=(sudo)
  if [[ ! -t 0 ]]; then
    sudo -n true 2>/dev/null ||
      stop "packages are missing and sudo asks for a password: run: sudo apt-get install ${missing[*]}"
    as_root+=(-n)
  fi
fi

mkdir -p build
log=build/install_packages.log
echo "m2: installing ${missing[*]} (log: $log)"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
"${apt[@]}" update >"$log" 2>&1 </dev/null || true  # what matters is whether the next line works
"${apt[@]}" install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1 </dev/null ||
  stop "apt-get could not install ${missing[*]}; is there a network? (see $log)"
