#!/usr/bin/env bash
# What a new user does first, on an empty FINCH_HOME: README's first command, and then the same again without a network.
set -euo pipefail
cd "$(dirname "$0")/.."
command=$(sed -n 's/^    \(cargo run --release -- complete .*\)$/\1/p' README.md)
[ -n "$command" ] || { echo "first-run.sh: README.md has no first command" >&2; exit 1; }
FINCH_HOME=${FINCH_HOME:-$(mktemp -d)}
export FINCH_HOME
[ -z "$(ls -A "$FINCH_HOME")" ] || { echo "first-run.sh: $FINCH_HOME is not empty" >&2; exit 1; }

echo "\$ $command"
first=$(eval "$command")
printf '%s\n' "$first"
[ -n "${first//[[:space:]]/}" ] || { echo "first-run.sh: no completion" >&2; exit 1; }

# No network at all: whatever opened a connection would fail.
started=$(date +%s%N)
second=$(eval "unshare -rn target/release/finch complete ${command##* complete }")
took=$((($(date +%s%N) - started) / 1000000))
echo "again, without a network: $took ms"
[ "$second" = "$first" ] || { echo "first-run.sh: another answer: $second" >&2; exit 1; }
[ "$took" -le 5000 ] || { echo "first-run.sh: $took ms is more than 5 s" >&2; exit 1; }
