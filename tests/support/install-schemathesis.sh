#!/usr/bin/env bash
# install-schemathesis.sh [FOLDER]: what makes up requests from a schema, and the client whose types are the schema, from the
# package registry alone. FOLDER is target/test-tools/schemathesis by default. Does nothing where everything is there.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder=${1:-$root/target/test-tools/schemathesis}
schemathesis=4.32.5 openai=3.57.0
version="schemathesis $schemathesis, openai $openai"
[ "$(cat "$folder/done" 2>/dev/null)" != "$version" ] || exit 0

echo "installing $version"
rm -rf "$folder/python" "$folder/done"
mkdir -p "$folder"
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -y -qq install python3-venv >/dev/null
fi
python3 -m venv "$folder/python"
"$folder/python/bin/python" -m pip install --quiet --disable-pip-version-check \
  "schemathesis==$schemathesis" "openai==$openai"
echo "$version" >"$folder/done"
