"""Label a cohort on a SLURM cluster through Dask, where the computers come and go.

    pip install '/path/to/deepspine_sct[cluster]' dask-jobqueue
    python docs/cohort_dask_jobqueue.py data out participant --qc

The options are those of `sct_deepspine_batch`; fill in your own queue and account below.
"""

import subprocess
import sys

from dask_jobqueue import SLURMCluster


def make_cluster() -> SLURMCluster:
    """Describe one SLURM job: four Dask workers of one thread, each with 4 GB."""
    return SLURMCluster(cores=4, processes=4, memory="16GB", walltime="08:00:00", queue="normal")


if __name__ == "__main__":
    with make_cluster() as cluster:
        cluster.scale(jobs=25)
        command = ["sct_deepspine_batch", *sys.argv[1:], "--scheduler", cluster.scheduler_address]
        sys.exit(subprocess.run(command, check=False).returncode)
