"""`make doubtful`: what the program says of images that it must not label with confidence.

Prints every case with the answer to it, how often upright spines are doubted or refused, how often a
reversed header is named, and the distribution of the fit that the limits in
``deepspine_sct/labeling/plausibility.py`` were chosen from: look at it again with every new network.
"""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.acceptance.accuracy_cases import real_scans, simulated_scans
from benchmarks.acceptance.doubtful_cases import TURNS, Doubtful, badly_sliced, mirrored, no_spines, turned
from benchmarks.sources import DATA_TEST, REAL
from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.image.volume import Volume
from deepspine_sct.labeling import plausibility
from deepspine_sct.labeling.confidence import SURE
from deepspine_sct.labeling.discs import Labeling
from deepspine_sct.labeling.predictor import Look, Predictor
from deepspine_sct.simulation.atlas import build_atlas


@dataclass(frozen=True)
class Answer:
    """What the program said of an image.

    Attributes
    ----------
    word : one of `WORDS`
    says : its words, or what it labelled
    points : discs that it would write [mm]
    confidence : of the levels as a whole, 0 where nothing was written
    fit : of what was found first, before it was judged [nats a disc]
    """

    word: str
    says: str
    points: dict[int, np.ndarray] = field(default_factory=dict)
    confidence: float = 0.0
    fit: float = 0.0


class Judge(Predictor):
    """The program, with its answer put into a word and the fit that it came from kept."""

    first: Labeling | None = None  # before it was judged

    def judge(self, look: Look, labeling: Labeling, named: Collection[int] = ()) -> Labeling:
        """Keep what is judged."""
        self.first = labeling
        return super().judge(look, labeling, named)

    def ask(self, volume: Volume) -> Answer:
        """Show one image."""
        self.first = None
        try:
            labeling = self.predict(volume).labeling
        except DeepspineError as error:
            message = str(error).split(";")[0]
            return Answer("reversed" if "contradicts" in message else "refused", message, fit=self._fit)
        if not labeling.discs:
            return Answer("no disc", labeling.warnings[0].split(";")[0], fit=self._fit)
        word = "confident" if labeling.level_confidence >= SURE else "unsure"
        if labeling.level_confidence < self.first.level_confidence:
            word = "doubted"
        says = f"{len(labeling.discs)} discs, {labeling.discs[0].name} to {labeling.discs[-1].name}"
        return Answer(word, says, labeling.points, labeling.level_confidence, self._fit)

    @property
    def _fit(self) -> float:
        return self.first.fit if self.first else 0.0


def ask_all(judge: Judge, cases: Iterator[Doubtful]) -> int:
    """Print a line for each kind of image; return how many were labelled with confidence."""
    answers: dict[str, list[Answer]] = defaultdict(list)
    errors_mm: dict[str, list[float]] = defaultdict(list)
    for case in cases:
        answer = judge.ask(case.volume)
        answers[case.kind].append(answer)
        if case.truth:
            near = [np.linalg.norm(xyz - case.truth[v]) for v, xyz in answer.points.items() if v in case.truth]
            errors_mm[case.kind] += near
    print(f"\n{'image':42} {'n':>3}  {'answers':28} {'highest':>10}  what it says most often")
    print(f"{'':42} {'':>3}  {'':28} {'confidence':>10}")
    for kind, given in answers.items():
        counts = Counter(answer.word for answer in given)
        words = ", ".join(f"{word} {n}" for word, n in counts.most_common())
        says = Counter(answer.says for answer in given).most_common(1)[0][0]
        if errors_mm[kind]:
            says += f"; {np.mean(np.array(errors_mm[kind]) < 5):.0%} of the names right within 5 mm"
        confidence = max(answer.confidence for answer in given)
        print(f"{kind:42} {len(given):3d}  {words:28} {confidence:10.2f}  {says}")
    return sum(answer.word == "confident" for given in answers.values() for answer in given)


WORDS = ("confident", "unsure", "doubted", "no disc", "reversed", "refused")


def upright_spines(real: Path, n_simulated: int) -> Iterator[tuple[str, Volume]]:
    """Yield a group and a scan that is what its header says."""
    for path in sorted(DATA_TEST.glob("*_sim.nii.gz")):
        yield "data_test", read_volume(path)
    if not real.is_dir():
        return
    for scan in real_scans(real):
        yield ("real slices" if "sites" in scan.group else "real volumes"), scan.volume
    atlas = build_atlas(real)
    for scan in simulated_scans(atlas, n_simulated):
        yield scan.group.split(", with")[0].split(", no")[0], scan.volume


def main() -> int:
    """Print the tables; exit status 1 where confident labels are given to anything but an upright spine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-data", type=Path, default=REAL, help="real scans")
    parser.add_argument("-model", type=Path, help="checkpoint; default: the shipped one")
    parser.add_argument("-n", type=int, default=12, help="simulated spines, each at every coverage")
    parser.add_argument("-every", type=int, default=1, help="take every n-th upright scan")
    args = parser.parse_args()
    judge = Judge.load(args.model)
    fooled = ask_all(judge, no_spines(args.data)) + ask_all(judge, badly_sliced(args.data))
    ask_all(judge, mirrored())
    answers: dict[tuple[str, str], Counter] = defaultdict(Counter)
    fits: dict[str, list[float]] = defaultdict(list)
    named = Counter()
    spines = list(upright_spines(args.data, args.n))[:: args.every]
    for group, volume in tqdm(spines, disable=None, unit="scan"):
        upright = judge.ask(volume)
        answers[group, "as it is"][upright.word] += 1
        fits[f"{group}, upright"].append(upright.fit)
        for turn, axes in TURNS.items():
            answer = judge.ask(turned(volume, axes))
            answers[group, turn][answer.word] += 1
            fits[f"{group}, reversed"].append(answer.fit)
            fooled += answer.word == "confident"
            if answer.word == "reversed":
                right = f": {plausibility.TURNS[axes]} seem" in answer.says
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
