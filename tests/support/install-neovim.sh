#!/bin/bash
# install-neovim.sh [PREFIX [SUITE [PACKAGE]]]: a Neovim for the tests, unpacked beside the machine's own packages.
# PREFIX is target/test-tools/nvim by default. SUITE is a Debian suite: sid (Neovim 0.12 or newer, the
# default) or trixie (0.10, for the plugin's own ghost text). Does nothing if PREFIX has one already.
# Another PACKAGE of the suite can be unpacked the same way.
# Needs a Debian (or its archive keyring and FINCH_DEBIAN_MIRROR), and: apt-get install -y patchelf file
# Tests find it by itself in the default place, elsewhere by FINCH_TEST_NVIM=PREFIX.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
prefix=${1:-$here/../../target/test-tools/nvim}
suite=${2:-sid}
package=${3:-neovim}

fail() {
  echo "install-neovim.sh: $*" >&2
  exit 1
}

# shellcheck source=tests/support/debian.sh
. "$here/debian.sh"

nvim_version() {
  VIMRUNTIME=$prefix/usr/share/nvim/runtime "$prefix/usr/bin/nvim" --version | sed -n '1s/^NVIM v//p'
}

# Suites move, so a range is asked for and never one version.
check_version() {
  local version minor
  if [ "$package" != neovim ]; then
    echo "$package in $prefix"
    return
  fi
  version=$(nvim_version)
  minor=$(cut -d. -f2 <<<"$version")
  case $version in
    0.*) ;;
    *) minor=1000 ;;
  esac
  if [ "$suite" = sid ] && [ "$minor" -lt 12 ]; then
    fail "Neovim $version is too old, 0.12 or newer is needed"
  fi
  echo "Neovim $version in $prefix"
}

# Every program and library looks for its C library in the tree itself, so the machine's is not touched.
relocate() {
  local root=$1 final=$2 library file own
  library=$(dirname "$(find "$root/usr/lib" -name 'libc.so.6' | head -n1)")
  local target=${library/#$root/$final} loader
  loader=$(basename "$(find "$library" -name 'ld-linux*.so*' | head -n1)")
  find "$root/usr/bin" "$root/usr/lib" -type f \( -perm /111 -o -name '*.so*' \) \
    ! -name 'ld-linux*' ! -name 'libc.so.6' | while read -r file; do
    case $(file -b "$file") in
      *ELF*dynamically\ linked*) ;;
      *) continue ;;
    esac
    own=$(patchelf --print-rpath "$file" | tr : '\n' | sed -n "s|^/|$final/|p" | tr '\n' :)
    patchelf --force-rpath --set-rpath "$target:$own" "$file"
    if patchelf --print-interpreter "$file" >/dev/null 2>&1; then
      patchelf --set-interpreter "$target/$loader" "$file"
    fi
  done
}

if [ "$package" = neovim ] && [ -x "$prefix/usr/bin/nvim" ]; then
  check_version
  exit 0
fi
for tool in apt-get dpkg-deb patchelf file; do
  command -v "$tool" >/dev/null || fail "$tool is missing: apt-get install -y patchelf file"
done

mkdir -p "$(dirname "$prefix")"
prefix=$(cd "$(dirname "$prefix")" && pwd)/$(basename "$prefix")
# Unpacked elsewhere and moved when whole: an interrupted run leaves nothing that looks installed.
part=$prefix.part-$$
trap 'rm -rf "$part"' EXIT
mkdir -p "$part/root"
# Everything Neovim needs down to libc comes along.
apt_of "$part/apt" "$suite"
APT_CONFIG=$part/apt/apt.conf apt-get -qq -y --download-only install "$package" >/dev/null
for archive in "$part"/apt/archives/*.deb; do
  dpkg-deb -x "$archive" "$part/root"
done
relocate "$part/root" "$prefix"
rm -rf "$prefix"
mv "$part/root" "$prefix"
check_version
