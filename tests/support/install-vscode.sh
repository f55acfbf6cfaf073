#!/usr/bin/env bash
# install-vscode.sh [FOLDER]: the real VS Code workbench for the tests (the package code-server), a Chromium to show it
# in, what drives that, and the libraries that the extension is built from; all of it from package registries and
# nothing compiled. FOLDER is target/test-tools/vscode by default. Does nothing where everything is there.
#   node/  the Node.js they need      server/  code-server      driver/  playwright-core
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder=${1:-$root/target/test-tools/vscode}
node_version=24.21.0 server_version=4.139.1 driver_version=1.65.1
export npm_config_update_notifier=false npm_config_fund=false npm_config_audit=false npm_config_loglevel=error

chromium=(chromium fonts-dejavu-core)
if ! command -v chromium >/dev/null; then
  echo "installing ${chromium[*]}"
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -y -qq install --no-install-recommends "${chromium[@]}" >/dev/null
fi

# package FOLDER NAME VERSION [OPTION...]: into a folder of its own, moved into place when it is whole.
package() {
  local into=$folder/$1 name=$2 version=$3
  [ "$(cat "$into/version" 2>/dev/null)" != "$name $version" ] || return 0
  echo "installing $name $version"
  rm -rf "$into" "$into.part"
  mkdir -p "$into.part"
  echo '{"private":true}' >"$into.part/package.json"
  (cd "$into.part" && npm install --no-save "${@:4}" "$name@$version" >/dev/null)
  if [ "$1" = server ]; then complete_server "$into.part"; fi
  echo "$name $version" >"$into.part/version"
  mv "$into.part" "$into"
}

# The package wants to fetch and compile native modules, none of which the tests need: its own dependencies are
# installed without their scripts, and what would start only to fail is removed.
complete_server() {
  local workbench=$1/node_modules/code-server/lib/vscode
  (cd "$workbench" && npm install --omit=dev --ignore-scripts >/dev/null)
  rm -rf "$workbench/node_modules/@github" "$workbench/node_modules/@microsoft/mxc-sdk" "$workbench/extensions/copilot"
}

if ! command -v npm >/dev/null; then
  echo "installing npm"
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -y -qq install --no-install-recommends npm >/dev/null
fi
mkdir -p "$folder"
package node node "$node_version"
export PATH=$folder/node/node_modules/.bin:$PATH
package server code-server "$server_version" --ignore-scripts
package driver playwright-core "$driver_version" --ignore-scripts

extension=$root/editors/vscode
if ! cmp -s "$extension/package-lock.json" "$extension/node_modules/.lock-of-install"; then
  echo "installing what the VS Code extension is built from"
  # esbuild comes with a program for each platform, which needs no script.
  (cd "$extension" && npm ci --ignore-scripts >/dev/null)
  cp "$extension/package-lock.json" "$extension/node_modules/.lock-of-install"
fi
echo "VS Code: $(HOME=$folder node "$folder/server/node_modules/code-server/out/node/entry.js" --version)"
