"""What a cohort costs: ``make cohort`` runs the command and the shell loop beside it, and draws the cost on paper.

The scans are those of `benchmarks.cost.scans`, one image under many names, so that reading it costs inflating it and
no disk. A run of two scans tells the start from each further scan; both together give the cost of any number. The wall
time is that of this machine at this moment; where other programs keep it busy, the processor time says more. Each part
leaves what it measured in the folder, and the tables are written from all of them.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

from benchmarks.cost.cohort_books import books
from benchmarks.cost.cohort_paper import draw, paper_tables
from benchmarks.cost.cohort_run import BATCH, LABEL, Cost, fresh, measured
from benchmarks.cost.cohort_tables import books_table, speed_tables
from benchmarks.cost.label import machine
from benchmarks.cost.scans import write_scan
from benchmarks.sources import ROOT

VOLUMES = {"cervical": 40, "whole_spine": 12}
"""Scans of the larger run of each kind."""

PARTS = (*VOLUMES, "books")

FEW = 2
"""Scans of the smaller run."""

DOCS = ROOT / "docs"


def main() -> None:
    """Measure the parts that are asked for, by default all, and write the tables and the plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-calls", type=int, default=5, help="calls of the shell loop (default: 5)")
    parser.add_argument("-share", type=float, default=1.0, help="of the volumes of the larger runs (default: all)")
    parser.add_argument("-ofolder", type=Path, default=ROOT / "cohort_out")
    parser.add_argument("-o", type=Path, default=DOCS / "cohort_table.md", help="file to write")
    parser.add_argument("-plot", type=Path, default=DOCS / "images" / "cohort_cost.png", help="plot to draw")
    parser.add_argument("-tables", action="store_true", help="measure nothing, write the tables of what was measured")
    parser.add_argument("parts", nargs="*", default=PARTS, help=f"of {', '.join(PARTS)} (default: all)")
    args = parser.parse_args()
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(unknown)}")
    args.ofolder = args.ofolder.resolve()
    args.ofolder.mkdir(exist_ok=True)
    for part in () if args.tables else args.parts:
        where = machine()
        if part == "books":
            found = books(args.ofolder / "cervical" / "data", args.ofolder / "cervical" / "out", args.ofolder / "many")
        else:
            found = measure(part, round(VOLUMES[part] * args.share), args.calls, fresh(args.ofolder / part))
        _notes(args.ofolder, part).write_text(json.dumps({"machine": where, "found": found}))
    missing = [part for part in PARTS if not _notes(args.ofolder, part).exists()]
    if missing:
        raise SystemExit(f"no tables yet: {', '.join(missing)} not measured")
    notes = {part: json.loads(_notes(args.ofolder, part).read_text()) for part in PARTS}
    speeds = {kind: notes[kind]["found"] for kind in VOLUMES}
    text = "\n\n".join(
        [
            "<!-- Written by `make cohort`. -->",
            notes["cervical"]["machine"],
            *speed_tables(speeds),
            books_table(notes["books"]["found"]),
            *paper_tables(speeds, args.plot.name),
        ]
    )
    print(text)
    args.o.write_text(text + "\n")
    draw(args.plot, speeds)


def _notes(folder: Path, part: str) -> Path:
    return folder / f"cost_{part}.json"


def measure(kind: str, n: int, calls: int, folder: Path) -> dict:
    """Run every way to label n scans of a kind.

    Returns
    -------
    dict
        "ways": what each took; "image_mb": size of an image; "results": bytes and files that a scan leaves.
    """
    image = write_scan(folder, kind)
    few, many = (link_cohort(image, fresh(folder / name), number) for name, number in (("few", FEW), ("data", n)))
    target = folder / "out"
    ways: dict[str, dict] = {}
    results: dict[str, list[float]] = {}
    for qc in (False, True):
        ways["shell loop" + ", `-qc`" * qc] = _loop(image, fresh(folder / "loop"), calls, qc)
        for n_workers in (1, 2):
            name = f"{n_workers} worker{'s' * (n_workers > 1)}" + ", `--qc`" * qc
            small, large = (_run(data, target, n_workers, qc) for data in (few, many))
            ways[name] = _parted(n, small, large) | {"n_workers": n_workers, "worker_mb": _worker_mb(target)}
            results[name] = _left(target, n)
            print(f"{kind}, {name}: {n / large.wall_s * 60:.0f} per minute", flush=True)
    return {"ways": ways, "results": results, "image_mb": image.stat().st_size / 1e6}


def link_cohort(image: Path, data: Path, n: int) -> Path:
    """Make a data set of one image under many names."""
    description = {"Name": "one scan under many names", "BIDSVersion": "1.9.0", "DatasetType": "raw"}
    (data / "dataset_description.json").write_text(json.dumps(description))
    for number in range(n):
        stem = data / f"sub-{number:04d}" / "anat" / f"sub-{number:04d}_T2w"
        stem.parent.mkdir(parents=True)
        stem.with_suffix(".json").write_text("{}")
        stem.with_suffix(".nii.gz").symlink_to(image)
    return data


def _loop(image: Path, folder: Path, calls: int, qc: bool) -> dict:
    """Call the command for one scan, again and again, each call on all cores."""
    call = [*LABEL, "-i", str(image), "-c", "t2", "-ofolder", str(folder), "-json", str(folder / "report.json")]
    costs = [measured([*call, "-v", "0", *(["-qc", str(folder / "qc")] if qc else [])]) for _ in range(calls)]
    wall_s, cpu_s, peak_mb = zip(*costs, strict=True)
    return {
        "n": calls, "wall_s": sum(wall_s), "cpu_s": sum(cpu_s),
        "start_wall_s": 0.0, "start_cpu_s": 0.0,
        "each_wall_s": mean(wall_s), "each_cpu_s": mean(cpu_s), "worker_mb": max(peak_mb),
    }  # fmt: skip


def _run(data: Path, target: Path, n_workers: int, qc: bool) -> Cost:
    """Label a data set."""
    options = ["--n-procs", str(n_workers), "-v", "0", *(["--qc"] if qc else [])]
    return measured([*BATCH, str(data), str(fresh(target)), "participant", *options])


def _parted(n: int, small: Cost, large: Cost) -> dict:
    """Tell the start of a run from each further scan."""
    each_wall_s, each_cpu_s = ((most - least) / (n - FEW) for most, least in zip(large[:2], small[:2], strict=True))
    return {
        "n": n, "wall_s": large.wall_s, "cpu_s": large.cpu_s,
        "start_wall_s": small.wall_s - FEW * each_wall_s, "start_cpu_s": small.cpu_s - FEW * each_cpu_s,
        "each_wall_s": each_wall_s, "each_cpu_s": each_cpu_s,
    }  # fmt: skip


def _records(target: Path) -> Iterator[dict]:
    yield from (json.loads(path.read_text()) for path in target.glob("logs/**/*.json"))


def _worker_mb(target: Path) -> float:
    """Most memory that a worker used, as the records say."""
    return max(record["peak_mb"] for record in _records(target))


def _left(target: Path, n: int) -> list[float]:
    """Bytes and files that a scan leaves, without what stands once for all of them."""
    assert sum(record["kind"] == "labelled" for record in _records(target)) == n
    sizes = [path.stat().st_size for path in target.glob("*/**/*") if path.is_file()]
    return [sum(sizes) / n, len(sizes) / n]


if __name__ == "__main__":
    main()
