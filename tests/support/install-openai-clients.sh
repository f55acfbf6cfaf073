#!/usr/bin/env bash
# install-openai-clients.sh [FOLDER]: the official clients that the tests ask the daemon with, from package registries
# alone. FOLDER is target/test-tools/openai-clients by default. Does nothing where everything is there.
#   python/  the Python packages openai and anthropic      npm/  the npm package openai
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder=${1:-$root/target/test-tools/openai-clients}
python_openai=3.57.0 python_anthropic=2.14.0 npm_openai=7.59.0
export npm_config_update_notifier=false npm_config_fund=false npm_config_audit=false npm_config_loglevel=error
version="openai $python_openai, anthropic $python_anthropic, npm openai $npm_openai"
[ "$(cat "$folder/done" 2>/dev/null)" != "$version" ] || exit 0

echo "installing $version"
rm -rf "$folder/python" "$folder/npm" "$folder/done"
mkdir -p "$folder/npm"
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -y -qq install python3-venv >/dev/null
fi
if ! command -v npm >/dev/null; then
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -y -qq install npm >/dev/null
fi
python3 -m venv "$folder/python"
"$folder/python/bin/python" -m pip install --quiet --disable-pip-version-check \
  "openai==$python_openai" "anthropic==$python_anthropic"
echo '{"private":true,"type":"module"}' >"$folder/npm/package.json"
(cd "$folder/npm" && npm install --no-save "openai@$npm_openai" >/dev/null)
echo "$version" >"$folder/done"
