#!/bin/bash
#SBATCH --array=0-49
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --time=08:00:00
# Every job of the array takes every 50th participant:
#
#     sbatch docs/cohort_slurm_array.sh data out
#     sct_deepspine_batch data out group             # when all have ended
#
# A job that was killed, or all of them, may be submitted again: what is done is not done twice.
set -euo pipefail

data=$1 out=$2
mine=()
n=0
for folder in "$data"/sub-*/; do
    if (( n++ % SLURM_ARRAY_TASK_COUNT == SLURM_ARRAY_TASK_ID )); then
        mine+=("$(basename "$folder")")
    fi
done
(( ${#mine[@]} )) || exit 0

sct_deepspine_batch "$data" "$out" participant \
    --participant-label "${mine[@]}" --n-procs "$SLURM_CPUS_PER_TASK" --qc
