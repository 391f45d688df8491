#!/bin/bash
# Labels one participant, for SCT's own batch runner:
#
#     sct_run_batch -path-data data -path-output out -script docs/cohort_sct_run_batch.sh -jobs 8
#
# The labels go to out/results/deepspine; run there at the end, for the tables and the page:
#
#     sct_deepspine_batch data out/results/deepspine group
set -euo pipefail

participant=${1%%/*}  # sct_run_batch may give sub-01/ses-02
session=()
[ "$participant" = "$1" ] || session=(--session-label "${1#*/}")

sct_deepspine_batch "$PATH_DATA" "$PATH_RESULTS/deepspine" participant \
    --participant-label "$participant" "${session[@]}" --n-procs 1 --qc
