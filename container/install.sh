#!/bin/sh
# What an image holds: sh container/install.sh SOURCE TARGET. SOURCE is the checkout, TARGET the environment to make.
# The Dockerfile and the Apptainer definition call this script and do nothing else, so that a test can run it without
# either of them. The network is needed here, and never again afterwards.
set -eu

source=$1
target=$2
largest_mb=500

python3 -m venv "$target"
"$target/bin/python" -m pip install --quiet "$source"
# Only an installation needs these; setuptools comes with Python 3.10 and 3.11.
"$target/bin/python" -m pip uninstall --quiet --yes setuptools pip

size_mb=$(du -sm "$target" | cut -f1)
echo "$target: $size_mb MB"
[ "$size_mb" -lt "$largest_mb" ] || { echo "more than $largest_mb MB: what came along?" >&2; exit 1; }

# The command labels the scan of the checkout, which proves that nothing is missing.
check=$(mktemp -d)
"$target/bin/sct_deepspine_label" -i "$source/data_test/t2_sim.nii.gz" -c t2 -o "$check/discs.nii.gz" \
    -overlay "$check/discs.png" -v 0
[ -s "$check/discs.nii.gz" ] && [ -s "$check/discs.png" ]
rm -r "$check"
