#!/usr/bin/env bash
# tools/bare_root.sh [--part root|user]... [--folder DIR] [--ccache DIR] [--mirror URL] [--keep]
# Shows that a fresh Debian 12 is enough: makes a bare root with debootstrap, puts a clean clone of the
# tree's last commit in, and runs there `make demo` and `make test`. Once as root without sudo (root),
# once as a user with sudo that asks for no password (user); by default both.
#   --folder  where the roots are made, 10 GB (default: m2_bare_root in $TMPDIR or /tmp). DIR/base is
#             kept from run to run, the roots with --keep; the logs are in DIR/logs
#   --ccache  a folder of ccache's to share with the root: saves the compiling
#   --mirror  of Debian (default http://deb.debian.org/debian)
# What this machine needs to reach the packages is taken from the environment and goes into the root
# alone: http_proxy, https_proxy, no_proxy, PIP_* (files and folders that they name are mounted).
# Needs root, for debootstrap and chroot. The mounts live in a namespace that ends with the run.
set -euo pipefail
tree="$(cd "$(dirname "$0")/.." && pwd)"

stop() {
  echo "m2: $*" >&2
  exit 1
}

parts=()
work="${TMPDIR:-/tmp}/m2_bare_root"
ccache=""
mirror=http://deb.debian.org/debian
keep=no
while [[ $# -gt 0 ]]; do
  option="$1"
  shift
  case "$option" in
    --keep) keep=yes && continue ;;
    --part | --folder | --ccache | --mirror) [[ $# -gt 0 ]] || stop "$option needs a value" ;;
    *) stop "unknown option $option; see the head of tools/bare_root.sh" ;;
  esac
  case "$option" in
    --part) parts+=("$1") ;;
    --folder) work="$1" ;;
    --ccache) ccache="$1" ;;
    --mirror) mirror="$1" ;;
  esac
  shift
done
[[ ${#parts[@]} -gt 0 ]] || parts=(root user)
for part in "${parts[@]}"; do
  [[ "$part" == root || "$part" == user ]] || stop "--part is root or user, not $part"
done
[[ $(id -u) -eq 0 ]] || stop "a bare root is made by root alone: run it with sudo"
for program in debootstrap git unshare chroot; do
  command -v "$program" >/dev/null ||
    stop "$program is missing: apt-get install debootstrap git util-linux coreutils"
done
[[ -z "$ccache" || -d "$ccache" ]] || stop "$ccache: no such folder"

mkdir -p "$work/logs"
work="$(cd "$work" && pwd)"
made=()
child=""
# Runs a command that a signal ends at once, with all that it started: bash itself waits for a
# command in the foreground before it heeds a signal.
run_child() {
  "$@" &
  child=$!
  local status=0
  wait "$child" || status=$?
  child=""
  return "$status"
}
end_child() {
  # SIGKILL: unshare passes no other signal on to its namespace.
  if [[ -n "$child" ]]; then kill -KILL "$child" 2>/dev/null || true; fi
  exit 130
}
clean_up() {
  local folder
  # Nothing is mounted in these outside of the namespace, which is gone.
  if [[ $keep == no ]]; then for folder in "${made[@]}"; do rm -rf --one-file-system "$folder"; done; fi
}
trap clean_up EXIT
trap end_child INT TERM HUP

make_base() {
  [[ -f "$work/base.whole" ]] && return
  rm -rf --one-file-system "$work/base"
  echo "m2: making a bare Debian 12 in $work/base"
  run_child debootstrap --variant=minbase bookworm "$work/base" "$mirror" \
    >"$work/logs/debootstrap.log" 2>&1 ||
    stop "debootstrap failed; is there a network? (see $work/logs/debootstrap.log)"
  touch "$work/base.whole"
}

# What the commands in the root see of this machine's settings, as NAME=VALUE in `settings`, and the
# paths that they name, in `mounts`: in the root these lie under /opt/host, where no package writes.
settings=()
mounts=()
collect_settings() {
  local name value word path
  for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    if [[ -n "${!name:-}" ]]; then settings+=("$name=${!name}"); fi
  done
  for name in $(compgen -e PIP_); do
    value=""
    for word in ${!name}; do
      path="${word#file://}"
      if [[ "$path" == /* && -e "$path" ]]; then
        mounts+=("$path")
        word="${word%"$path"}/opt/host$path"
      fi
      value+="${value:+ }$word"
    done
    settings+=("$name=$value")
  done
}

# Runs in a namespace of mounts and processes of its own; both end with it.
#   ROOT ACCOUNT MOUNT... -- COMMAND...
enter='
  root="$1" account="$2"
  shift 2
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  mount --rbind -o ro /sys "$root/sys"
  while [[ "$1" != -- ]]; do
    from="${1%%=>*}" to="$root${1##*=>}"
    if [[ -d "$from" ]]; then mkdir -p "$to"; else mkdir -p "${to%/*}"; [[ -e "$to" ]] || : >"$to"; fi
    mount --bind "$from" "$to"
    shift
  done
  shift
  exec chroot --userspec="$account" "$root" "$@"
'
inside() {  # ROOT ACCOUNT COMMAND...
  local root="$1" account="$2" home=/root
  shift 2
  if [[ "$account" != root ]]; then home="/home/$account"; fi
  local variables=("HOME=$home" "USER=$account" PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8)
  variables+=("${settings[@]}")
  local mounted=() path
  for path in "${mounts[@]}"; do mounted+=("$path=>/opt/host$path"); done
  if [[ -n "$ccache" ]]; then
    mounted+=("$ccache=>/ccache")
    variables+=(CCACHE_DIR=/ccache CCACHE_TEMPDIR=/tmp)
    # The cache belongs to root.
    if [[ "$account" != root ]]; then variables+=(CCACHE_READONLY=1); fi
  fi
  run_child unshare --mount --pid --fork --kill-child --propagation private bash -euc "$enter" enter \
    "$root" "$account:" "${mounted[@]}" -- env -i "${variables[@]}" "$@" </dev/null
}

make_root() {  # PART; each step ends it, as its caller's || switches `set -e` off
  local root="$work/$1" packages=(make) account=root home=/root proxy name
  if [[ $1 == user ]]; then packages+=(sudo) account=user home=/home/user; fi
  cp -a "$work/base" "$root" || return
  cp -L /etc/resolv.conf "$root/etc/resolv.conf" || return
  for proxy in http https; do
    name="${proxy}_proxy"
    if [[ -n "${!name:-}" ]]; then
      echo "Acquire::$proxy::Proxy \"${!name}\";" >>"$root/etc/apt/apt.conf.d/50proxy"
    fi
  done
  inside "$root" root apt-get -q update || return
  inside "$root" root env DEBIAN_FRONTEND=noninteractive \
    apt-get -q install -y --no-install-recommends "${packages[@]}" || return
  if [[ $1 == user ]]; then
    inside "$root" root useradd --create-home --shell /bin/bash user || return
    echo 'user ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/user" || return
  fi
  git clone -q --no-hardlinks "file://$tree" "$root$home/m2" || return
  inside "$root" root chown -R "$account:$account" "$home/m2"
}

summary=()
failed=0
run_make() {  # PART TARGET
  local home=/root account=root log="$work/logs/$1-$2.log" started=$SECONDS status=0
  if [[ $1 == user ]]; then home=/home/user account=user; fi
  echo "m2: as $1: make $2 (log: $log)"
  inside "$work/$1" "$account" make -C "$home/m2" "$2" >"$log" 2>&1 || status=$?
  [[ $status -eq 0 ]] || failed=1
  summary+=("as $1: make $2: exit $status, $((SECONDS - started)) s; its last lines:"
    "$(tail -n 5 "$log" | sed 's/^/    /')")
  return "$status"
}

make_base
collect_settings
for part in "${parts[@]}"; do
  started=$SECONDS
  made+=("$work/$part")
  rm -rf --one-file-system "${work:?}/$part"
  make_root "$part" >"$work/logs/$part-root.log" 2>&1 ||
    stop "the root for $part could not be made (see $work/logs/$part-root.log)"
  summary+=("as $part: a bare root of Debian 12 and a clone: $((SECONDS - started)) s")
  run_make "$part" demo || true
  run_make "$part" test || true
  if [[ $keep == no ]]; then rm -rf --one-file-system "${work:?}/$part"; fi
done
echo
printf '%s\n' "${summary[@]}"
exit "$failed"
