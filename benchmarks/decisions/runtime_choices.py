"""What was tried with ONNX Runtime: ``python -m benchmarks.decisions.runtime_choices`` prints a Markdown table.

Every choice runs in a process of its own, for its peak memory, in turns, for a busy moment to hit
all alike.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from statistics import median
from time import perf_counter

from benchmarks.sources import ROOT

SIZES = ((13, 128, 128), (16, 384, 192))  # images of a cervical and of a whole-spine scan
CHOICES = {
    "one image after the other (ships)": {},
    "one thread": {"threads": 1},
    "waiting threads spin": {"spin": True},
    "an image a thread": {"pool": True},
    "all images in one batch": {"batch": True},
    "no memory arena": {"arena": False},
    "fewer graph optimisations": {"level": "basic"},
}


def work(shape: tuple[int, int, int], threads=0, spin=False, pool=False, batch=False, arena=True, level="all"):
    """Run random images; return load time [s], time an image [s], CPU time an image [s] and peak [MB]."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np
    import onnxruntime as ort

    from deepspine_sct.model.onnx_runtime import thread_count
    from deepspine_sct.model.runtime import SHIPPED_ONNX

    threads = threads or thread_count(os.environ)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1 if pool else threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = arena
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, f"ORT_ENABLE_{level.upper()}")
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spin)))
    started_s = perf_counter()
    session = ort.InferenceSession(str(SHIPPED_ONNX), options, providers=["CPUExecutionProvider"])
    loaded_s = perf_counter() - started_s
    images = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)[:, None]
    parts = [images] if batch else [images[i : i + 1] for i in range(len(images))]
    before = resource.getrusage(resource.RUSAGE_SELF)
    started_s = perf_counter()
    with ThreadPoolExecutor(threads if pool else 1) as executor:
        list(executor.map(lambda part: session.run(None, {"images": part}), parts))
    wall_s = perf_counter() - started_s
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return loaded_s, wall_s / len(images), cpu_s / len(images), after.ru_maxrss / 1024


def main() -> None:
    """Print the table, or with -work do one choice and print its numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-rounds", type=int, default=5, help="runs of each choice (default: 5)")
    parser.add_argument("-work", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        shape, choice = map(json.loads, args.work)
        print(json.dumps(work(tuple(shape), **choice)))
        return
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    print("| images | choice | load [ms] | an image [ms] | CPU an image [ms] | peak memory [MB] |")
    print("|---|---|---:|---:|---:|---:|")
    for shape in SIZES:
        runs = {name: [] for name in CHOICES}
        for _ in range(args.rounds):
            for name, choice in CHOICES.items():
                command = [
                    sys.executable,
                    "-m",
                    "benchmarks.decisions.runtime_choices",
                    "-work",
                    json.dumps(shape),
                    json.dumps(choice),
                ]
                out = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
                runs[name].append(json.loads(out))
        for name, measured in runs.items():
            load_s, wall_s, cpu_s, megabytes = map(median, zip(*measured, strict=True))
            print(f"| {shape[0]} of {shape[1]} x {shape[2]} | {name} | {1e3 * load_s:.0f} | {1e3 * wall_s:.1f} "
                  f"| {1e3 * cpu_s:.1f} | {megabytes:.0f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
