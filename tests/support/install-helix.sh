#!/usr/bin/env bash
# install-helix.sh [FOLDER]: a Helix (25.01 or newer) of Debian sid, unpacked into FOLDER (by default
# target/test-tools/helix) beside the machine's own packages. Does nothing where it is there; prints its version.
# Needs what install-neovim.sh needs, which unpacks it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${1:-$here/../../target/test-tools/helix}

fail() {
  echo "install-helix.sh: $*" >&2
  exit 1
}

if [ ! -x "$folder/usr/lib/hx/hx" ]; then
  echo "installing Helix"
  bash "$here/install-neovim.sh" "$folder" sid hx
fi
version=$(HELIX_RUNTIME=$folder/usr/lib/hx/runtime "$folder/usr/lib/hx/hx" --version) || fail "the Helix in $folder does not start"
case $version in
  "helix 2"[5-9].* | "helix "[3-9][0-9].*) ;;
  *) fail "$version is too old: 25.01 or newer is needed" ;;
esac
echo "$version"
