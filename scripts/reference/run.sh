#!/bin/sh
# Makes all reference values anew: test/fixtures/reference/ops and test/fixtures/reference/decoders. Seconds.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-/usr/bin/python3}
if ! "$python" -c 'import torch' 2>/dev/null; then
  echo "$python has no PyTorch. On Debian: apt-get install python3-torch libopenblas0-pthread" >&2
  exit 1
fi
export PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}"
fixtures=../../test/fixtures/reference
"$python" ops.py "$fixtures/ops"
"$python" decoders.py "$fixtures/decoders"
"$python" gguf_blocks.py "$fixtures/gguf-blocks.json"
"$python" base_model.py "$fixtures/pretrained-base"
