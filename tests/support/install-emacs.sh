#!/usr/bin/env bash
# install-emacs.sh [FOLDER]: lsp-mode 10 or newer with what it needs, unpacked from Debian sid into FOLDER (by default
# target/test-tools/emacs), and the machine's own Emacs to run it in. Does nothing where everything is there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${1:-$here/../../target/test-tools/emacs}
packages=(elpa-lsp-mode elpa-dash elpa-f elpa-ht elpa-lv elpa-markdown-mode elpa-s elpa-spinner)

fail() {
  echo "install-emacs.sh: $*" >&2
  exit 1
}
# shellcheck source=tests/support/debian.sh
. "$here/debian.sh"

if ! command -v emacs >/dev/null; then
  echo "installing emacs-nox"
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -y -qq install --no-install-recommends emacs-nox >/dev/null
fi

source_of() { find "$folder/usr/share/emacs/site-lisp" -name "$1.el" 2>/dev/null | head -n 1; }
if [ -z "$(source_of lsp-inline-completion)" ]; then
  echo "installing lsp-mode"
  part=$folder.part-$$
  trap 'rm -rf "$part"' EXIT
  apt_of "$part/apt" sid
  mkdir -p "$part/root"
  # These are text, so their needs from the suite (another Emacs) are left out.
  (cd "$part/apt/archives" && APT_CONFIG=$part/apt/apt.conf apt-get -qq download "${packages[@]}")
  for archive in "$part"/apt/archives/*.deb; do dpkg-deb -x "$archive" "$part/root"; done
  rm -rf "$folder"
  mv "$part/root" "$folder"
fi
[ -n "$(source_of lsp-inline-completion)" ] || fail "this lsp-mode has no inline completion: 10 or newer is needed"
emacs --version | head -n 1
