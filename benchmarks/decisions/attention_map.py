"""Where does the attention look? ``python -m benchmarks.decisions.attention_map`` prints a row for each network.

On eight real necks and eight real lumbar scans that no training saw: how much of the attention lies near discs, and how
much far from them.
"""

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.acceptance.accuracy_cases import Scan, lumbar_scans, real_scans
from benchmarks.sources import REAL
from deepspine_sct.labeling.predictor import Predictor

N_SCANS = 8  # of each kind
NEAR_MM, FAR_MM = 8.0, 40.0


def unseen_scans(folder: Path) -> Iterator[Scan]:
    """Yield necks of the sites, and lumbar scans of the subjects, that no training saw."""
    necks = (scan for scan in real_scans(folder) if scan.group.endswith("evaluation sites"))
    lumbar = (scan for scan in lumbar_scans(folder) if scan.group.endswith("never trained"))
    yield from islice(necks, N_SCANS)
    yield from islice(lumbar, N_SCANS)


def attention_at(predictor: Predictor, scan: Scan) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the attention near discs, far from all discs, and everywhere, in the slab that is nearest to the discs."""
    result = predictor.predict(scan.volume)
    prediction = result.prediction
    discs_ijk = prediction.grid.to_index([*scan.truth.values(), *result.labeling.points.values()])
    slab = int(np.clip(np.rint(np.median(discs_ijk[:, 0])), 0, len(prediction.attention) - 1))
    attention = prediction.attention[slab]
    rows, cols = np.indices(attention.shape)
    places_mm = np.stack([rows, cols], -1)[..., None, :] * prediction.grid.zooms_mm[1:]
    away_mm = np.linalg.norm(places_mm - discs_ijk[:, 1:] * prediction.grid.zooms_mm[1:], axis=-1).min(axis=-1)
    return attention[away_mm <= NEAR_MM], attention[away_mm > FAR_MM], attention.ravel()


def main() -> None:
    """Print how much of the attention of each network lies where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="*", help="checkpoints; by default the installed network")
    parser.add_argument("-data", type=Path, default=REAL, help="real scans")
    args = parser.parse_args()
    scans = list(unseen_scans(args.data))
    print("| network | near discs | far from discs | smallest to largest value |\n|---|---:|---:|---:|")
    for model in args.models or [None]:
        predictor = Predictor.load(model)
        found = [attention_at(predictor, scan) for scan in tqdm(scans, disable=None, unit="scan")]
        near, far, everywhere = (np.concatenate(parts) for parts in zip(*found, strict=True))
        cells = (f"{np.median(near):.2f}", f"{np.median(far):.2f}", f"{everywhere.min():.2f} to {everywhere.max():.2f}")
        print(f"| {model.stem if model else 'installed'} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
