#!/bin/bash
# Labels one participant, for SCT's own batch runner:
#
#     sct_run_batch -path-data data -path-output out -script docs/cohort_sct_run_batch.sh -jobs 8
#
# The labels go to out/results/deepspine, and every scan to SCT's quality-control page, out/qc/index.html.
# Run there at the end, for the tables and the page of the group:
#
#     sct_deepspine_batch data out/results/deepspine group
set -euo pipefail
shopt -s nullglob

participant=${1%%/*}  # sct_run_batch may give sub-01/ses-02
session=()
[ "$participant" = "$1" ] || session=(--session-label "${1#*/}")

status=0  # of the labelling: scans that are done are shown, also where others failed
sct_deepspine_batch "$PATH_DATA" "$PATH_RESULTS/deepspine" participant \
    --participant-label "$participant" "${session[@]}" --n-procs 1 --qc || status=$?

for labels in "$PATH_RESULTS/deepspine/$1"/anat/*_label-discs_dlabel.nii.gz; do
    scan=$(basename "${labels%_label-discs_dlabel.nii.gz}")
    images=("$PATH_DATA/$1/anat/$scan".nii*)
    sct_qc -i "${images[0]}" -s "$labels" -p sct_label_utils \
        -qc "$PATH_QC" -qc-dataset "$(basename "$PATH_DATA")" -qc-subject "$participant"
done
exit $status
