"""Does straightening help? Simulated straight, bent and scoliotic spines, with each -straighten.

Run from the checkout: ``python -m benchmarks.acceptance.straightening [-n 8] [-sct]``. Needs the simulator's
sources (-data); -sct needs SCT on the PATH and takes half a minute a scan.
"""

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.sources import REAL
from deepspine_sct.errors import DeepspineError
from deepspine_sct.evaluation.metrics import CaseScore, score_case
from deepspine_sct.image.nifti import write_volume
from deepspine_sct.image.reformation import reform
from deepspine_sct.image.volume import Volume
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.scan.straightened import find_straightened
from deepspine_sct.sct.straightening import straighten
from deepspine_sct.simulation.atlas import build_atlas
from deepspine_sct.simulation.simulated_scan import VolumeSpec, simulate_cord, simulate_volume

# Group: scan. Sway is the left-right amplitude of the scoliosis: 14 mm and 18 mm, an S of 320 mm.
GROUPS = {
    "cervical": VolumeSpec("t2", (20, 128, 112), (1.5, 1.5, 1.5), 440.0, tilt=0.02),
    "thoracic": VolumeSpec("t2", (28, 170, 112), (1.5, 1.5, 1.5), 330.0),
    "scoliosis 14 mm": VolumeSpec("t2", (36, 170, 112), (1.5, 1.5, 1.5), 400.0, sway_mm=14.0),
    "scoliosis 18 mm": VolumeSpec("t2", (40, 190, 112), (1.5, 1.5, 1.5), 330.0, sway_mm=18.0),
}
FIRST_SEED = 101


def find(predictor: Predictor, volume: Volume, cord: Volume, mode: int) -> dict[int, np.ndarray]:
    """Find the discs with -straighten `mode`."""

    def predict(image, pins):
        return predictor.predict(image, pins=pins)

    first = predict(volume, None).labeling.points
    if mode == 0 or not first:
        return first
    if mode == 2:
        straight = reform(volume, np.array(list(first.values())))
        return find_straightened(predict, straight, {}).labeling.points
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        write_volume(work / "image.nii.gz", volume)
        write_volume(work / "cord.nii.gz", cord)
        straight = straighten(work / "image.nii.gz", work / "cord.nii.gz", work, [work])
        return find_straightened(predict, straight, {}).labeling.points


def beside_the_cord(truth: dict[int, np.ndarray], cord: Volume) -> dict[int, np.ndarray]:
    """Keep the discs that lie between the ends of the cord: SCT straightens nothing else."""
    heights_mm = cord.grid.to_world(np.argwhere(cord.data))[:, 2]
    return {v: xyz for v, xyz in truth.items() if heights_mm.min() <= xyz[2] <= heights_mm.max()}


def describe(scores: list[CaseScore]) -> str:
    """Sum scores up in a line."""
    distances_mm = [mm for score in scores for mm in score.distance_mm.values() if mm <= 5.0]
    n_discs = sum(len(score.distance_mm) for score in scores)
    n_false = sum(len(score.false) for score in scores)
    mean_mm = np.mean(distances_mm) if distances_mm else np.nan
    return f"named right {len(distances_mm):4d} of {n_discs:4d}   false {n_false:3d}   mean {mean_mm:.2f} mm"


def main() -> None:
    """Simulate, label in each way, and print one line per group and way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-data", type=Path, default=REAL, help="the simulator's sources")
    parser.add_argument("-model", type=Path, help="network; the installed one by default")
    parser.add_argument("-n", type=int, default=8, help="scans a group")
    parser.add_argument("-sct", action="store_true", help="try -straighten 1 as well")
    args = parser.parse_args()
    atlas = build_atlas(args.data)
    predictor = Predictor.load(args.model)
    modes = (0, 1, 2) if args.sct else (0, 2)
    for group, spec in GROUPS.items():
        scores = defaultdict(list)
        for seed in tqdm(range(FIRST_SEED, FIRST_SEED + args.n), group, leave=False, disable=None, unit="scan"):
            volume, truth = simulate_volume(seed, atlas, spec)
            cord = simulate_cord(seed, atlas, spec)
            truth = beside_the_cord(truth, cord)
            for mode in modes:
                try:
                    found = find(predictor, volume, cord, mode)
                except DeepspineError as error:  # refused, or a step of it failed: no disc is found
                    tqdm.write(f"{group}, seed {seed}, -straighten {mode}: {error}")
                    found = {}
                scores[mode].append(score_case(found, truth, span_only=True))
        for mode in modes:
            print(f"{group:16s} -straighten {mode}: {describe(scores[mode])}", flush=True)


if __name__ == "__main__":
    main()
