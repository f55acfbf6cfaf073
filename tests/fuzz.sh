#!/usr/bin/env bash
# fuzz.sh SECONDS [TARGET...] : each fuzz target for so long. Works with a stable compiler, without a sanitizer.
set -euo pipefail
cd "$(dirname "$0")/fuzz/.."
seconds=$1; shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(basename -s .rs -a fuzz/fuzz_targets/*.rs)
for target in "${targets[@]}"; do
  echo "fuzzing $target for $seconds s"
  RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir fuzz --sanitizer none "$target" -- \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 2>&1 | tail -n 8
done
