"""How many slabs must be looked at: accuracy against images, on simulated volumes with a tilted, bent spine.

``python -m benchmarks.decisions.slab_choices`` prints a Markdown table, one line per choice of the constants of
`deepspine_sct.labeling.settings`; the first is what ships. Needs the sources of the simulator.
"""

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.sources import REAL
from deepspine_sct.errors import DeepspineError
from deepspine_sct.evaluation.metrics import score_case, summarise
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.labeling.settings import DEFAULTS, PredictorSettings
from deepspine_sct.model.runtime import load_runtime
from deepspine_sct.simulation.atlas import build_atlas
from deepspine_sct.simulation.simulated_scan import VolumeSpec, simulate_volume

SEED = 30_000  # training and `make accuracy` draw from other seeds
SHAPE, ZOOMS_MM = (26, 144, 112), (2.6, 1.8, 1.8)
CENTRES_MM = (430.0, 330.0, 250.0, 100.0, 20.0)
CHOICES = [  # fine step [mm], coarse stride, margin, trace
    (DEFAULTS.step_mm, DEFAULTS.coarse_stride, DEFAULTS.margin_slabs, DEFAULTS.trace),
    (4.0, 1, 2, 0.0),
    (4.0, 3, 1, 0.25),
    (4.0, 3, 1, 0.35),
    (4.0, 3, 2, 0.5),
    (4.0, 4, 2, 0.25),
    (5.0, 3, 2, 0.25),
    (5.0, 3, 1, 0.25),
    (6.0, 2, 1, 0.25),
    (6.0, 3, 1, 0.25),
]


class Counter:
    """A runtime that counts the images it is given."""

    def __init__(self, inner):
        self.inner, self.images = inner, 0
        self.description, self.checksum, self.multiple = inner.description, inner.checksum, inner.multiple

    def run(self, images):
        """Run the inner runtime."""
        self.images += len(images)
        return self.inner.run(images)


def volumes(data: Path, n: int):
    """Simulate ``n`` volumes, each with its true discs."""
    atlas = build_atlas(data)
    for i in range(n):
        rng = np.random.default_rng([SEED, i])
        spec = VolumeSpec(
            ("t2", "t1")[i % 2], SHAPE, ZOOMS_MM, CENTRES_MM[i % len(CENTRES_MM)],
            tilt=rng.uniform(-0.1, 0.1), sway_mm=rng.uniform(0, 12),
        )  # fmt: skip
        yield simulate_volume(SEED + i, atlas, spec)


def line(runtime, cases: list, choice: tuple) -> str:
    """Label every volume with one choice; return its line of the table."""
    counter = Counter(runtime)
    predictor = Predictor(counter, PredictorSettings(*choice))
    scores, aside_mm = [], []
    for volume, truth in tqdm(cases, leave=False, disable=None, unit="scan"):
        try:
            points = predictor.predict(volume).labeling.points
        except DeepspineError:  # taken for upside down: nothing is named
            points = {}
        scores.append(score_case(points, truth))
        aside_mm += [abs(points[v][0] - truth[v][0]) for v in points if v in scores[-1].found]
    total = summarise(scores)
    numbers = (
        f"{choice[0]:g}", f"{choice[0] * choice[1]:g}", f"{choice[2]}", f"{choice[3]:g}",
        f"{counter.images / len(cases):.1f}", f"{total['identification_rate']:.1%}", f"{total['missed']}",
        f"{total['false']}", f"{np.mean(aside_mm):.2f}", f"{np.percentile(aside_mm, 95):.2f}",
    )  # fmt: skip
    return f"| {' | '.join(numbers)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-data", type=Path, default=REAL, help="real scans and templates")
    parser.add_argument("-n", type=int, default=20, help="volumes (default: 20)")
    args = parser.parse_args()
    cases = list(volumes(args.data, args.n))
    runtime = load_runtime(device="cpu")
    print("| fine step [mm] | coarse step [mm] | margin | trace | images per scan | named right | missed | false "
          "| left-right error, mean [mm] | 95th percentile [mm] |")  # fmt: skip
    print("|---:" * 10 + "|")
    for choice in CHOICES:
        print(line(runtime, cases, choice), flush=True)


if __name__ == "__main__":
    main()
