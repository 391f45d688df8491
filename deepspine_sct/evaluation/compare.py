"""Two disc files side by side: ``python -m deepspine_sct.evaluation.compare PREDICTED TRUTH``."""

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from deepspine_sct.anatomy import disc_name
from deepspine_sct.errors import DeepspineError
from deepspine_sct.evaluation.metrics import CaseScore, score_case
from deepspine_sct.image.labels import read_labels

TOLERANCE_MM = 5.0


def comparison_lines(score: CaseScore) -> list[str]:
    """Say how far each true disc is from the predicted one of its name, and what is wrong.

    Parameters
    ----------
    score : CaseScore
        From `score_case`.

    Returns
    -------
    list of str
        One line per true disc, then one for the whole.
    """
    lines = ["disc  name       error [mm]"]
    for value, distance_mm in score.distance_mm.items():
        error = "missing" if np.isnan(distance_mm) else f"{distance_mm:7.2f}"
        verdict = "" if value in score.found else f"  not within {TOLERANCE_MM:.0f} mm"
        lines.append(f"{value:4d}  {disc_name(value):9s}  {error}{verdict}")
    distances_mm = [mm for mm in score.distance_mm.values() if not np.isnan(mm)]
    if distances_mm:
        lines.append(f"mean error {np.mean(distances_mm):.2f} mm, largest {np.max(distances_mm):.2f} mm")
    lines.append(
        f"{len(score.found)} of {len(score.distance_mm)} discs named right within "
        f"{TOLERANCE_MM:.0f} mm, {len(score.false)} false"
    )
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Compare two label files.

    Returns
    -------
    int
        0 where every true disc was found under its own name and none is false, else 1. Discs above
        and below all true ones do not count: an expert need not have marked every visible disc.
    """
    parser = argparse.ArgumentParser(prog="compare", description=__doc__)
    parser.add_argument("predicted", help="disc file to judge")
    parser.add_argument("truth", help="disc file to judge it by")
    args = parser.parse_args(argv)
    try:
        predicted, truth = read_labels(args.predicted), read_labels(args.truth)
    except DeepspineError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return error.exit_code
    score = score_case(predicted, truth, TOLERANCE_MM, span_only=True)
    print("\n".join(comparison_lines(score)))
    return 0 if score.all_right else 1


if __name__ == "__main__":
    sys.exit(main())
