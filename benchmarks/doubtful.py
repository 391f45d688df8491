"""`make doubtful`: what the program says of images that it must not label with confidence.

Prints every case with the answer to it, how often upright spines are doubted or refused, how often a
reversed header is named, and the distribution of the fit that the limits in
``deepspine_sct/labeling/plausibility.py`` were chosen from: look at it again with every new network.
"""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from accuracy_cases import real_scans, simulated_scans
from doubtful_cases import DATA, TURNS, badly_sliced, no_spines, turned

from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.image.volume import Volume
from deepspine_sct.labeling import inference, plausibility
from deepspine_sct.labeling.discs import Labeling
from deepspine_sct.labeling.inference import Predictor
from deepspine_sct.training.atlas import build_atlas

SURE = 0.9
"""Confidence of the levels below which the user is warned."""


class Judge:
    """The program, with its answer put into a word and the fit that it came from kept."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self.first: Labeling | None = None  # before it was judged
        judge = inference.judge

        def listen(labeling, look_turned):
            self.first = labeling
            return judge(labeling, look_turned)

        inference.judge = listen

    def ask(self, volume: Volume) -> tuple[str, str]:
        """One word (refused, reversed, no disc, doubted, unsure, confident), and the details."""
        self.first = None
        try:
            labeling = self.predictor.predict(volume).labeling
        except DeepspineError as error:
            message = str(error).split(";")[0]
            return ("reversed" if "contradicts" in message else "refused"), message
        if not labeling.discs:
            return "no disc", labeling.warnings[0]
        word = "confident" if labeling.level_confidence >= SURE else "unsure"
        if labeling.level_confidence < self.first.level_confidence:
            word = "doubted"
        confidence = np.mean([disc.confidence for disc in labeling.discs])
        return word, (
            f"{len(labeling.discs)} discs, {labeling.discs[0].name} to {labeling.discs[-1].name}, mean"
            f" confidence {confidence:.2f}, levels {labeling.level_confidence:.2f}, fit {self.first.fit:.1f}"
        )

    @property
    def fit(self) -> float:
        """Fit of the last image, 0 where nothing was found."""
        return self.first.fit if self.first else 0.0


WORDS = ("confident", "unsure", "doubted", "no disc", "reversed", "refused")


def upright_spines(real: Path, n_simulated: int) -> Iterator[tuple[str, Volume]]:
    """Yield a group and a scan that is what its header says."""
    for path in sorted(DATA.glob("*_sim.nii.gz")):
        yield "data_test", read_volume(path)
    if not real.is_dir():
        return
    for scan in real_scans(real):
        yield ("real slices" if "volume" not in scan.group else "real volumes"), scan.volume
    atlas = build_atlas(real / "pam50", real / "head" / "icbm152_t1.nii.gz")
    for scan in simulated_scans(atlas, n_simulated):
        yield scan.group.split(", with")[0].split(", no")[0], scan.volume


def main() -> int:
    """Print the tables; exit status 1 where an image without a spine is labelled with confidence."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-data", type=Path, default=Path("../shared/real"), help="real scans")
    parser.add_argument("-model", type=Path, help="checkpoint; default: the shipped one")
    parser.add_argument("-n", type=int, default=12, help="simulated spines, each at every coverage")
    parser.add_argument("-every", type=int, default=1, help="take every n-th upright scan")
    args = parser.parse_args()
    judge = Judge(Predictor.load(args.model))
    print(f"{'image':48} {'answer':10} details")
    fooled = 0
    for cases in (no_spines, badly_sliced):
        for name, volume in cases(args.data):
            word, details = judge.ask(volume)
            print(f"{name:48} {word:10} {details}")
            fooled += word == "confident" and cases is no_spines
    answers: dict[tuple[str, str], Counter] = defaultdict(Counter)
    fits: dict[str, list[float]] = defaultdict(list)
    named = Counter()
    spines = list(upright_spines(args.data, args.n))[:: args.every]
    for group, volume in spines:
        word, _ = judge.ask(volume)
        answers[group, "as it is"][word] += 1
        fits[f"{group}, upright"].append(judge.fit)
        for turn, axes in TURNS.items():
            word, details = judge.ask(turned(volume, axes))
            answers[group, turn][word] += 1
            fits[f"{group}, reversed"].append(judge.fit)
            if word == "reversed":
                right = f": {plausibility.TURNS[axes]} seem" in details
                named["right" if right else "wrong"] += 1
    print(f"\n{'spines':30} {'header reverses':24}" + "".join(f"{word:>11}" for word in WORDS))
    for (group, turn), counts in answers.items():
        print(f"{group:30} {turn:24}" + "".join(f"{counts[word]:11d}" for word in WORDS))
    print(f"of the headers called reversed, the axes were named right {named['right']} times, wrong {named['wrong']}")
    print(f"\n{'fit [nats a disc]':42} {'least':>6} {'5 %':>6} {'median':>6} {'95 %':>6} {'most':>6} {'n':>5}")
    for group, values in sorted(fits.items()):
        low, five, middle, many, high = np.percentile(values, (0, 5, 50, 95, 100))
        print(f"{group:42} {low:6.1f} {five:6.1f} {middle:6.1f} {many:6.1f} {high:6.1f} {len(values):5d}")
    print(f"limits: convincing from {plausibility.CONVINCING_FIT}, doubtful below {plausibility.DOUBTFUL_FIT},"
          f" turned from {plausibility.TURNED_FIT}")  # fmt: skip
    return int(fooled > 0)


if __name__ == "__main__":
    sys.exit(main())
