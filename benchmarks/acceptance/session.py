"""`make session`: scans named alone and together, on simulated sessions and on windows of real lumbar volumes."""

import argparse
import csv
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from statistics import median
from time import perf_counter

from tqdm import tqdm

from benchmarks.acceptance.session_scans import Session, Station, real_lumbar, real_necks, simulated_sessions
from benchmarks.sources import REAL
from deepspine_sct.errors import DeepspineError
from deepspine_sct.evaluation.metrics import score_case
from deepspine_sct.labeling.companions import Together, conclude_together, name_together
from deepspine_sct.labeling.confidence import SURE
from deepspine_sct.labeling.discs import Labeling
from deepspine_sct.labeling.predictor import Look, Predictor
from deepspine_sct.simulation.atlas import build_atlas
from deepspine_sct.stopwatch import Stopwatch

TOLERANCE_MM = 8.0  # names are judged here, not places
LEAST_SHARE = 0.5  # of its discs a scan must have found to be right


@dataclass(frozen=True)
class Row:
    """One scan, alone and together with the others of its session."""

    group: str
    session: str
    scan: int
    alone_right: bool
    joint_right: bool
    alone_confidence: float
    joint_confidence: float
    joined: int
    should_join: int
    alone_s: float
    joint_s: float


def right(labeling: Labeling, station: Station) -> bool:
    """Tell whether every name of a scan is right, and most of its discs are found."""
    score = score_case(labeling.points, station.truth, TOLERANCE_MM, span_only=True)
    return not score.off_level and len(score.found) >= LEAST_SHARE * len(station.truth)


def rows_of(predictor: Predictor, session: Session) -> Iterator[Row]:
    """Name each scan of a session alone, and together with all others."""
    singles, looks, seconds = [], [], Stopwatch()
    started_s = perf_counter()
    for station in session.stations:
        try:
            singles.append(predictor.predict(station.volume).labeling)
        except DeepspineError:
            singles.append(Labeling())
    alone_s = perf_counter() - started_s
    started_s = perf_counter()
    for station in session.stations:
        try:
            looks.append(predictor.look(station.volume, seconds))
        except DeepspineError as error:
            looks.append(error)
    together = name_together(predictor, looks)
    joint = [_joint(predictor, look, together, i) for i, look in enumerate(looks)]
    joint_s = perf_counter() - started_s
    for i, station in enumerate(session.stations):
        if not station.readable:
            continue
        mates = [other for k, other in enumerate(session.stations) if k != i]
        yield Row(
            group=session.group,
            session=session.name,
            scan=i,
            alone_right=right(singles[i], station),
            joint_right=right(joint[i], station),
            alone_confidence=round(singles[i].level_confidence, 4),
            joint_confidence=round(joint[i].level_confidence, 4),
            joined=len(together.named[i].joined) if together.named[i] else 0,
            should_join=sum(mate.readable and mate.of_subject == station.of_subject for mate in mates),
            alone_s=round(alone_s / len(looks), 3),
            joint_s=round(joint_s / len(looks), 3),
        )


def _joint(predictor: Predictor, look: Look | DeepspineError, together: Together, i: int) -> Labeling:
    """Name one scan of a session; without a disc where it is refused."""
    try:
        return Labeling() if isinstance(look, DeepspineError) else conclude_together(
            predictor, look, together, i, Stopwatch()
        ).result.labeling  # fmt: skip
    except DeepspineError:
        return Labeling()


def print_table(rows: list[Row]) -> None:
    """Print one line per group, and what must not be."""
    print(
        f"{'group':48} {'scans':>5} {'all names right':>15} {'confidence':>12} {'sure, and wrong':>15} {'joined':>9}"
        f" {'seconds':>11}"
    )
    print(f"{'':48} {'':5} {'alone':>7} {'joint':>7} {'alone':>6} {'joint':>5} {'alone':>7} {'joint':>7} {'of':>9}")
    for group in dict.fromkeys(row.group for row in rows):
        print_line(group, [row for row in rows if row.group == group])
    print_line("all", rows)
    worse = [row for row in rows if row.alone_right and not row.joint_right]
    print(f"\nmade worse by joining: {len(worse)} of {len(rows)} scans")
    for row in worse:
        print(
            f"  {row.group}, {row.session}, scan {row.scan}: {row.alone_confidence:.2f} to {row.joint_confidence:.2f}"
        )
    sure = [row for row in worse if row.joint_confidence > SURE]
    print(f"made worse at a level that is called sure: {len(sure)}")


def print_line(name: str, rows: list[Row]) -> None:
    """Print what came of some scans."""
    n = len(rows)
    rights = [sum(getattr(row, f"{how}_right") for row in rows) for how in ("alone", "joint")]
    confidences = [median(getattr(row, f"{how}_confidence") for row in rows) for how in ("alone", "joint")]
    wrong = [
        sum(getattr(r, f"{how}_confidence") > SURE and not getattr(r, f"{how}_right") for r in rows)
        for how in ("alone", "joint")
    ]
    joined, should = sum(row.joined for row in rows), sum(row.should_join for row in rows)
    seconds = [sum(getattr(row, f"{how}_s") for row in rows) / n for how in ("alone", "joint")]
    print(
        f"{name:48} {n:5} {rights[0] / n:7.0%} {rights[1] / n:7.0%} {confidences[0]:6.2f} {confidences[1]:5.2f}"
        f" {wrong[0]:7} {wrong[1]:7} {joined:4}/{should:4} {seconds[0]:5.2f} {seconds[1]:5.2f}"
    )


def main() -> None:
    """Score the sessions and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-data", type=Path, default=REAL, help="real scans and templates")
    parser.add_argument("-model", type=Path, help="network; default: the shipped one")
    parser.add_argument("-n", type=int, default=8, help="simulated sessions of each kind")
    parser.add_argument(
        "-real", type=int, default=28, help="real necks, and real lumbar volumes; three sessions of each"
    )
    parser.add_argument("-o", type=Path, help="table to write, .csv: one line per scan")
    args = parser.parse_args()
    predictor = Predictor.load(args.model)
    necks, lumbar = real_necks(args.data / "slices"), real_lumbar(args.data / "lumbar")
    sessions: Iterable[Session] = chain(islice(necks, 3 * args.real), islice(lumbar, 3 * args.real))
    if args.n:
        atlas = build_atlas(args.data / "pam50", args.data / "head" / "icbm152_t1.nii.gz")
        sessions = chain(sessions, simulated_sessions(atlas, args.n))
    hidden = None if os.environ.get("SCT_PROGRESS_BAR") != "off" else True  # None: off without a terminal
    rows = [row for session in tqdm(sessions, unit="session", disable=hidden) for row in rows_of(predictor, session)]
    if args.o:
        with open(args.o, "w", newline="") as stream:
            writer = csv.DictWriter(stream, list(asdict(rows[0])))
            writer.writeheader()
            writer.writerows(asdict(row) for row in rows)
    print_table(rows)


if __name__ == "__main__":
    main()
