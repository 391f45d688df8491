"""What a cohort costs: volumes a minute against a shell loop, and the books of many scans."""

import argparse
import os
from itertools import cycle
from pathlib import Path
from statistics import median

from benchmarks.cost.cohort_run import BATCH, LABEL, LIMITS, fresh, images, measured
from deepspine_sct.cohort.bids_derivative import files_of, open_target
from deepspine_sct.cohort.job import LABELLED, Job
from deepspine_sct.cohort.state import settled, write_record
from deepspine_sct.data.bids import CONTRASTS
from deepspine_sct.data.discovery import search
from deepspine_sct.model.runtime import load_runtime

SUFFIXES = tuple(CONTRASTS.values())
MANY = (1000, 5000)


def speed(data: Path, broken: dict[str, str], args: argparse.Namespace) -> None:
    """One call a scan after the other, each on all cores, against one and two workers, in turns."""
    chosen = [image for image in images(data) if image not in broken][: args.volumes]
    subset = fresh(args.ofolder / "subset")
    for image in chosen:
        (subset / image).parent.mkdir(parents=True, exist_ok=True)
        (subset / image).symlink_to(data / image)
    folder = args.ofolder / "speed"
    batch = [*BATCH, str(subset), str(folder), "participant", *LIMITS, "--n-procs"]
    call = [*LABEL, "-c", "t2", "-ofolder", str(folder), "-v", "0", "-i"]
    ways = {
        "shell loop": [[*call, str(subset / image)] for image in chosen],
        "1 worker": [[part for part in batch if part != "--qc"] + ["1"]],  # the loop draws nothing
        "2 workers": [[part for part in batch if part != "--qc"] + ["2"]],
        "2 workers, --qc": [[*batch, "2"]],
    }
    taken: dict[str, list[tuple[float, float, float]]] = {way: [] for way in ways}
    for _ in range(args.rounds):
        for way, commands in ways.items():
            fresh(folder)
            wall_s, cpu_s, peak_mb = zip(*map(measured, commands), strict=True)
            taken[way].append((sum(wall_s), sum(cpu_s), max(peak_mb)))
    loop_s = [wall_s for wall_s, *_ in taken["shell loop"]]
    print("| | volumes a minute | times the loop | processor [s a volume] | largest process [MB] |")
    print("|---|---:|---:|---:|---:|")
    for way, runs in taken.items():
        per_minute = median(60 * len(chosen) / wall_s for wall_s, *_ in runs)
        ratio = median(before_s / wall_s for before_s, (wall_s, *_) in zip(loop_s, runs, strict=True))
        cpu_s = median(cpu_s for _, cpu_s, _ in runs) / len(chosen)
        peak_mb = max(peak_mb for *_, peak_mb in runs)
        print(f"| {way} | {per_minute:.0f} | {ratio:.2f} | {cpu_s:.2f} | {peak_mb:.0f} |")


def books(data: Path, broken: dict[str, str], args: argparse.Namespace) -> None:
    """What it takes to know that thousands of scans are done, and to report on them."""
    print("| scans | command | wall [s] | processor [s] | memory [MB] |\n|---:|---|---:|---:|---:|")
    for n in MANY:
        many, target = fresh(args.ofolder / "many" / "data"), fresh(args.ofolder / "many" / "out")
        _multiply(n, data, args.ofolder / "undisturbed", many, target, args.model)
        for level in ("participant", "group"):
            wall_s, cpu_s, peak_mb = measured([*BATCH, str(many), str(target), level, *LIMITS])
            print(f"| {n:,} | {level} | {wall_s:.1f} | {cpu_s:.1f} | {peak_mb:.0f} |", flush=True)
        assert (target / "deepspine_images.tsv").read_text().count("\tlabelled\t") == n


def _multiply(n: int, data: Path, done: Path, many: Path, target: Path, model: Path | None) -> None:
    """Make n scans out of those that were labelled: links to images and results, and a record each."""
    checksum = load_runtime(model, "cpu").checksum
    was = Job(data, done, checksum, "", pictures=True)
    job = Job(many, target, checksum, open_target(target, many, checksum), pictures=True)
    known = [(scan, settled(was, scan)) for scan in search(data, SUFFIXES).scans]
    originals = [(scan, outcome) for scan, outcome in known if outcome and outcome.kind == LABELLED]
    for number, (scan, _) in zip(range(n), cycle(originals), strict=False):
        image = many / f"sub-{number:06d}" / "anat" / f"sub-{number:06d}_{scan.contrast}.nii.gz"
        image.parent.mkdir(parents=True)
        image.symlink_to(scan.image)
    for scan, (original, outcome) in zip(search(many, SUFFIXES).scans, cycle(originals), strict=False):
        files = files_of(job, scan)
        files.labels.parent.mkdir(parents=True)
        for path, result in zip(files.results(), files_of(was, original).results(), strict=True):
            path.parent.mkdir(exist_ok=True)
            os.link(result, path)
        write_record(job, scan, outcome)
