#!/usr/bin/env bash
# From nothing to an answer: installs what is missing, gets SmolLM2-135M-Instruct, builds the example `generate` and runs it.
#
#   bash examples/quickstart.sh ["a question"]
#
# On a Debian 12 machine; needs root or sudo only when packages are missing. The model lies in $HEADWISE_MODELS or
# ~/.cache/headwise/models afterwards, the program in build/release/bin.
set -uo pipefail
me=quickstart
case "${1:-}" in
  -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
  -*) echo 'use: bash examples/quickstart.sh ["a question"]' >&2; exit 2 ;;
esac
[ $# -le 1 ] || { echo 'use: bash examples/quickstart.sh ["a question"] (one question, in quotes)' >&2; exit 2; }
question="${1:-What is the capital of France, and what is it known for?}"
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
. cmake/debian.sh

say "1/3 packages and model"
need_packages ca-certificates g++ cmake ninja-build python3 python3-pip libeigen3-dev nlohmann-json3-dev libpcre2-dev libutf8proc-dev libcli11-dev
need_compiler
need_disk . 400 "the build"
models="${HEADWISE_MODELS:-${HOME:-/tmp}/.cache/headwise/models}"
bash examples/fetch_models.sh --to "$models" smollm2-135m || exit 1

say "2/3 building the example \"generate\" (the first time takes minutes)"
# Nothing else than the example, unless the tests are set up there already.
if grep -qs HEADWISE_BUILD_TESTS:BOOL=ON build/release/CMakeCache.txt; then
  configure release
else
  configure release -DHEADWISE_BUILD_TESTS=OFF -DHEADWISE_BUILD_BENCH=OFF
fi
build release generate

model="$models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf"
say "3/3 build/release/bin/generate --model $model --chat \"$question\""
exec build/release/bin/generate --model "$model" --chat "$question" --max-new-tokens 200
