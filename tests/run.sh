#!/usr/bin/env bash
# Installs what is missing, builds the release preset and runs all tests.
#
#   bash tests/run.sh            on a Debian 12 machine; needs root or sudo only when packages are missing
#   bash tests/run.sh --full     then the presets asan-ubsan, tsan, scalar, clang and fuzz (ten seconds a target) too
#
# Tests of real models need a network once: they lie in $HEADWISE_MODELS or ~/.cache/headwise/models afterwards.
set -uo pipefail
me=run.sh
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
. cmake/debian.sh

full=false
case "${1:-}" in
  "") ;;
  --full) full=true ;;
  -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "use: bash tests/run.sh [--full]" >&2; exit 2 ;;
esac

packages=(ca-certificates g++ cmake ninja-build python3 python3-pip libeigen3-dev nlohmann-json3-dev libpcre2-dev libutf8proc-dev
          libcli11-dev libgtest-dev libbenchmark-dev)
$full && packages+=(clang-14 libclang-rt-14-dev)
need_packages "${packages[@]}"
need_compiler
need_disk . "$($full && echo 8000 || echo 2000)" "the build"

export HEADWISE_MODELS="${HEADWISE_MODELS:-${HOME:-/tmp}/.cache/headwise/models}"
say "models: $HEADWISE_MODELS"
bash examples/fetch_models.sh || say "tests of real models that are not there are SKIPPED, for the reason above"

# run_preset PRESET OPTIONS...: configure, build, test; the last lines are ctest's.
run_preset() {
  local preset=$1
  say "preset $preset: configure and build (build/$preset)"
  configure "$@"
  build "$preset"
  say "preset $preset: tests"
  ctest --preset "$preset" -j "$(nproc)" --no-tests=error
}

if ! $full; then
  run_preset release -DHEADWISE_WERROR="$([ -n "${CI:-}" ] && echo ON || echo OFF)"
  exit
fi

summary="" failed=0
for preset in release asan-ubsan tsan scalar clang fuzz; do
  start=$SECONDS
  if (run_preset "$preset" -DHEADWISE_LINT_ALL="$([ "$preset" = release ] && echo ON || echo OFF)"); then result=passed; else result=FAILED failed=1; fi
  summary+=$(printf '%-12s %-7s %4d s' "$preset" "$result" $((SECONDS - start)))$'\n'
done
say "all presets:"
printf '%s' "$summary"
exit $failed
