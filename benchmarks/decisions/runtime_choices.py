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
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.sources import ROOT
from deepspine_sct.model.runtime import SHIPPED

SIZES = ((13, 128, 128), (16, 384, 192))  # images of a cervical and of a whole-spine scan
CHOICES = {
    "integers, one thread per image (ships)": {"pool": True},
    "the images one after the other, on one thread": {"threads": 1},
    "all threads on one image after the other": {},
    "all images in one batch": {"batch": True},
    "no memory arena": {"pool": True, "arena": False},
    "single floats, one thread per image": {"floats": True, "pool": True},
    "single floats, all threads on one image after the other": {"floats": True},
}
FLOATS = "DEEPSPINE_FLOATS"  # names the network in single floats to the processes


def work(shape: tuple[int, int, int], threads=0, pool=False, batch=False, arena=True, floats=False):
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
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    network = os.environ[FLOATS] if floats else str(SHIPPED_ONNX)
    started_s = perf_counter()
    session = ort.InferenceSession(network, options, providers=["CPUExecutionProvider"])
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
    with TemporaryDirectory() as folder:
        floats = Path(folder) / "floats.onnx"
        environment = os.environ | {"PYTHONPATH": str(ROOT), FLOATS: str(floats)}
        # In a process of its own: with torch in this one, every child would begin with its peak memory.
        export = [sys.executable, "-m", "deepspine_sct.model.export", str(SHIPPED), str(floats)]
        subprocess.run(export, env=environment, check=True)
        compare(args.rounds, environment)


def compare(rounds: int, environment: dict[str, str]) -> None:
    """Run every choice in turns and print the medians."""
    print("| images | choice | load [ms] | an image [ms] | CPU an image [ms] | peak memory [MB] |")
    print("|---|---|---:|---:|---:|---:|")
    for shape in SIZES:
        runs = {name: [] for name in CHOICES}
        for _ in range(rounds):
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
