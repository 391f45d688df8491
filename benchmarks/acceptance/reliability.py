"""Does a confidence mean what it says? Tables, the expected calibration error, and the reliability diagram."""

from pathlib import Path

import numpy as np

from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.labeling.confidence import SURE

BINS = (0.0, 0.5, 0.7, 0.9, 0.95, 0.99, 1.0)
COLUMNS = 5  # of the diagram

Pairs = list[tuple[float, bool]]  # what was said, and whether it was right


def reliability(pairs: Pairs) -> dict:
    """Compare what was said with how often it was right.

    Returns
    -------
    dict with ``expected_calibration_error`` (Naeini et al. 2015: the mean gap, weighted by the size of the bins),
    ``bins``: (low, high, n, mean confidence, share right), ``sure``: share above `SURE`, ``sure_n``, and
    ``sure_wrong``: share of wrong ones among them
    """
    confidence, right = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs], float)
    bins, error = [], 0.0
    for low, high in zip(BINS, BINS[1:], strict=False):
        inside = (confidence >= low) & ((confidence < high) | (high == BINS[-1]))
        if inside.any():
            said, was = float(confidence[inside].mean()), float(right[inside].mean())
            error += abs(said - was) * float(inside.mean())
            bins.append((low, high, int(inside.sum()), said, was))
    sure = confidence > SURE
    wrong = 1 - float(right[sure].mean()) if sure.any() else 0.0
    return {
        "n": len(pairs), "expected_calibration_error": error, "bins": bins, "sure": float(sure.mean()),
        "sure_n": int(sure.sum()), "sure_wrong": wrong,
    }  # fmt: skip


def print_reliability(title: str, found: dict) -> None:
    """Print one table."""
    print(f"\n{title}: expected calibration error {found['expected_calibration_error']:.3f}, n = {found['n']}")
    for low, high, n, mean, share in found["bins"]:
        print(f"  said {low:4.2f} to {high:4.2f}: n {n:5d}, mean confidence {mean:.3f}, right {share:.3f}")


def print_sure(found: dict[str, dict]) -> None:
    """Print one line per group: how many are called sure, and how many of those are wrong."""
    print(f"\n{'said above 0.90':52} {'n':>5} {'share':>7} {'wrong':>6} {'wrong share':>11}")
    for title, f in found.items():
        n_wrong = round(f["sure_wrong"] * f["sure_n"])
        print(f"{title:52} {f['sure_n']:5d} {f['sure']:7.1%} {n_wrong:6d} {f['sure_wrong']:11.2%}")


def draw_reliability(path: Path, found: dict[str, dict]) -> None:
    """Draw a diagram a group: said against right, the diagonal being the truth; the area of a dot is its share."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = -(-len(found) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(3 * COLUMNS, 3.4 * rows), squeeze=False)
    for axis in axes.flat[len(found) :]:
        axis.axis("off")
    for axis, (title, f) in zip(axes.flat, found.items(), strict=False):
        said, right, n = (np.array([b[k] for b in f["bins"]]) for k in (3, 4, 2))
        axis.plot([0, 1], [0, 1], color="0.7", lw=1)
        axis.plot(said, right, color="tab:blue", lw=1)
        axis.scatter(said, right, s=10 + 300 * n / n.sum(), color="tab:blue", alpha=0.7)
        axis.set(title=f"{title}\nECE {f['expected_calibration_error']:.3f}, n {f['n']}", xlabel="confidence")
        axis.set(xlim=(0, 1.04), ylim=(0, 1.04), aspect="equal")
        axis.title.set_fontsize(9)
    for axis in axes[:, 0]:
        axis.set_ylabel("share that is right")
    figure.tight_layout()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=100, format="png")
    plt.close(figure)
