#!/usr/bin/env bash
# Every test of finch: installs the tools that the tests drive, then runs the unit, property and end-to-end tests.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tests/support/install-tools.sh
export ORT_DYLIB_PATH=$PWD/target/test-tools/runtime/libonnxruntime.so
exec cargo test --workspace --locked "$@"
