#!/bin/sh
# Packs what train_base.py reads into archives that fit two transfers: .cache/lift-base/part1/data.tar.xz holds the items and the
# first part of the text, enough to try with; part2/data.tar.xz the rest. Unpack both into one folder. Minutes on one core.
set -eu
cd "${LIFT_BASE_CACHE:-.cache/lift-base}"
first=${1:-96000000}
mkdir -p part1 part2 split
head -c "$first" tokens.bin > split/tokens.0
tail -c +"$((first + 1))" tokens.bin > split/tokens.1
# Token ids are two bytes; what came up long ago comes up again.
pack="xz -T1 --lzma2=preset=6,lc=0,lp=1,pb=1,dict=192MiB"
tar -C items -cf - documents.bin facts.bin meta.json pieces.bin pieces.idx -C ../split tokens.0 | $pack > part1/data.tar.xz
tar -C split -cf - tokens.1 | $pack > part2/data.tar.xz
rm -r split
ls -l part1/data.tar.xz part2/data.tar.xz
