"""Which pixels should the network see: ``python -m benchmarks.decisions.resolution_choices`` prints a Markdown table.

Simulated cervical, thoracic and lumbar scans of 1 mm pixels, the training sites' real slices (3.0 and 2.4 mm) and the
lumbar subjects that train the shipped network are
labelled with the shipped network on other pixels than the 2 mm that it was trained on, with and without the second
look on finer ones. The network was trained on bodies of 0.68 to 1.18 of the template, so that other pixels, up to
there, look to it like other bodies.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from time import process_time

import numpy as np
from tqdm import tqdm

from benchmarks.acceptance.accuracy_cases import Scan, real_scans
from benchmarks.acceptance.real_sources import names_of, read_scan
from benchmarks.sources import REAL
from deepspine_sct.evaluation.metrics import score_case, summarise
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.volume import Volume
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.labeling.settings import DEFAULTS, PredictorSettings
from deepspine_sct.model.runtime import Runtime, load_runtime
from deepspine_sct.simulation.atlas import Atlas, build_atlas
from deepspine_sct.simulation.simulator import simulate
from deepspine_sct.training.folds import SHIPPED, deal

SEED = 50_000  # training and the other benchmarks draw from other seeds
SHAPE, PIXEL_MM, CENTRES_MM = (300, 240), 1.0, (420.0, 250.0, -20.0)
BY_LENGTH = DEFAULTS.fine_pixels_mm  # as it ships: finer ones for the neck, see `refinement.fine_pixel_mm`
CHOICES: list[tuple[float, float | tuple[float, float] | None]] = [  # working pixels, those of the second look
    (2.0, BY_LENGTH), (2.0, 1.4), (2.0, 1.7), (2.0, None), (1.5, None), (2.5, 1.4), (2.5, None), (3.0, 1.4), (2.0, 1.0),
]  # fmt: skip


def fine_scans(atlas: Atlas, n: int) -> Iterator[Scan]:
    """Simulate ``n`` slabs of 1 mm pixels."""
    for i in range(n):
        rng = np.random.default_rng([SEED, i])
        family = ("t1", "t2", "t1_tse")[i % 3]
        centre_mm = CENTRES_MM[i // 3 % 3]
        case = simulate(rng, atlas, SHAPE, PIXEL_MM, family, centre_mm, off_middle=False, partial=False)
        grid = Grid.sagittal((1, *SHAPE), (5, 1, 1))
        seen = np.flatnonzero(case.presence > 0.5)
        truth = {int(v) + 1: grid.to_world(np.array([0, *case.tips_rc[v]])) for v in seen}
        yield Scan(f"fine_{i}", "simulated, 1 mm", Volume(case.image[None], grid), truth, True)


def lumbar_scans(data: Path) -> Iterator[Scan]:
    """Read the lumbar subjects that the shipped network learnt from."""
    names = names_of(data, "lumbar")
    for name in (name for name, fold in deal(names).items() if fold != SHIPPED):
        scan = read_scan(data, name)
        yield Scan(name, "real lumbar, training subjects", scan.volume, scan.truth, False)


def measure(
    runtime: Runtime, scans: list[Scan], working_mm: float, second_mm: float | tuple[float, float] | None
) -> dict:
    """Label all scans on other pixels; return (rate, mean distance) of each group and the processor time of a scan."""
    pixels_mm = second_mm if isinstance(second_mm, tuple) else (second_mm or 1.0,) * 2
    settings = PredictorSettings(looks_again=second_mm is not None, fine_pixels_mm=pixels_mm)
    predictor = Predictor(runtime, settings)
    predictor.observer.spacing_mm = working_mm
    cases: dict[str, list] = {}
    started_s = process_time()
    for scan in tqdm(scans, disable=None, unit="scan"):
        found = predictor.predict(scan.volume).labeling.points
        cases.setdefault(scan.group, []).append(score_case(found, scan.truth, span_only=not scan.complete))
    taken_ms = 1000 * (process_time() - started_s) / len(scans)
    result = {"ms": taken_ms}
    for group, scored in cases.items():
        right_mm = [mm for case in scored for v, mm in case.distance_mm.items() if v in case.found]
        result[group] = summarise(scored)["identification_rate"], float(np.mean(right_mm))
    return result


def main() -> None:
    """Measure every choice and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-data", type=Path, default=REAL, help="real scans and templates")
    parser.add_argument("-n", type=int, default=36, help="simulated scans")
    args = parser.parse_args()
    atlas = build_atlas(args.data)
    scans = list(fine_scans(atlas, args.n)) + [s for s in real_scans(args.data) if "training" in s.group]
    scans += lumbar_scans(args.data)
    runtime = load_runtime()
    rows = {choice: measure(runtime, scans, *choice) for choice in CHOICES}
    groups = [key for key in rows[CHOICES[0]] if key != "ms"]
    print("| pixels [mm] | second look [mm] | processor [ms a scan] | " + " | ".join(groups) + " |")
    print("|---:|---:|---:|" + "---:|" * len(groups))
    for (working_mm, second_mm), row in rows.items():
        look = " to ".join(map(str, second_mm)) if isinstance(second_mm, tuple) else second_mm or "none"
        cells = " | ".join(f"{100 * row[g][0]:.1f} %, {row[g][1]:.2f} mm" for g in groups)
        print(f"| {working_mm} | {look} | {row['ms']:.0f} | {cells} |")


if __name__ == "__main__":
    main()
