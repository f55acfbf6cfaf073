#!/usr/bin/env bash
# figures.sh [short | eval-short]: the figures of docs/benchmarks.md, printed. They need models in FINCH_HOME (or in one made here).
set -euo pipefail
cd "$(dirname "$0")/.."
bash tests/support/install-tools.sh
export ORT_DYLIB_PATH=$PWD/target/test-tools/runtime/libonnxruntime.so
export FINCH_HOME=${FINCH_FIGURES_HOME:-$PWD/target/test-tools/figures-home}
places=200 kills=100
if [ "${1:-}" = short ]; then places=40 kills=20; fi
cargo build --release --quiet
for model in qwen2.5-coder-0.5b smollm2-135m; do
  [ -d "$FINCH_HOME/models/$model" ] || target/release/finch model pull "$model" --keep-source
done
source=$FINCH_HOME/models/.downloads/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf
four=qwen2.5-coder-0.5b-int4
[ -d "$FINCH_HOME/models/$four" ] || target/release/finch model import "$source" --quant int4 --id "$four"
bench() { cargo bench --quiet --bench bench -- "$@"; }
suggest() { cargo bench --quiet --bench eval -- "$@"; }
# Under four minutes: llama.cpp stands beside the long form alone.
suggestions_short() {
  bash tests/support/install-corpus.sh
  suggest masked "$four" 40 --peer none --minutes 10
  suggest replay "$four" 1 --keys 200 --peer none --minutes 10
}
suggestions() {
  bash tests/support/install-corpus.sh
  suggest masked "$four" 200 --minutes 60
  suggest replay "$four" 4 --minutes 60
}
if [ "${1:-}" = eval-short ]; then
  suggestions_short
  exit
fi
if [ $places = 200 ]; then bench builds qwen2.5-coder-0.5b; fi
bench builds smollm2-135m
for model in "$four" smollm2-135m; do
  bench speed "$model"
done
bench ahead "$four" 40
bench clients "$four"
for model in "$four" qwen2.5-coder-0.5b smollm2-135m; do
  bench warm "$model"
done
bench keys
bench clouds
bench grep
bench agent
bench editor qwen2.5-coder-0.5b
# The flood is 1,700 connections on either side.
ulimit -Sn 4096
# The daemon with a model that is small enough for minutes: its figures, the flood, kills under load, two minutes of soak.
bench daemon smollm2-135m "$kills"
bench soak
bench memory "$four" qwen2.5-coder-0.5b
bench evaluation qwen2.5-coder-0.5b "$places"
if [ "${1:-}" = short ]; then suggestions_short; else suggestions; fi
