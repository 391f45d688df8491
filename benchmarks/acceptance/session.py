"""`make session`: scans named alone and together, real, simulated and made-up ones, as docs/sessions.md shows it."""

import argparse
import csv
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from time import process_time

from tqdm import tqdm

from benchmarks.acceptance.session_made_up import MadeUp, made_up_sessions, names_of, wrong_names
from benchmarks.acceptance.session_scans import Session, Station, real_lumbar, real_necks, simulated_sessions
from benchmarks.sources import REAL
from deepspine_sct.errors import DeepspineError
from deepspine_sct.evaluation.metrics import score_case
from deepspine_sct.labeling.companions import Together, conclude_together, name_together
from deepspine_sct.labeling.confidence import SURE
from deepspine_sct.labeling.discs import Labeling
from deepspine_sct.labeling.predictor import Look, Predictor
from deepspine_sct.labeling.session import order_session
from deepspine_sct.simulation.atlas import build_atlas
from deepspine_sct.stopwatch import Stopwatch

TOLERANCE_MM = 8.0  # names are judged here, not places
LEAST_SHARE = 0.5  # of its discs a scan must have found to be right


@dataclass(frozen=True)
class Row:
    """One scan, alone and together with the others of its session; joined with mates, and with strangers."""

    group: str
    session: str
    scan: int
    alone_right: bool
    joint_right: bool
    alone_confidence: float
    joint_confidence: float
    joined: int
    mates: int
    joined_wrongly: int
    strangers: int
    alone_s: float
    joint_s: float


def right(labeling: Labeling, station: Station) -> bool:
    """Tell whether every name of a scan is right, and most of its discs are found."""
    score = score_case(labeling.points, station.truth, TOLERANCE_MM, span_only=True)
    return not score.off_level and len(score.found) >= LEAST_SHARE * len(station.truth)


def rows_of(predictor: Predictor, session: Session) -> Iterator[Row]:
    """Name each scan of a session alone, and together with all others."""
    singles, looks, seconds = [], [], Stopwatch()
    started_s = process_time()
    for station in session.stations:
        try:
            singles.append(predictor.predict(station.volume).labeling)
        except DeepspineError:
            singles.append(Labeling())
    alone_s = process_time() - started_s
    started_s = process_time()
    for station in session.stations:
        try:
            looks.append(predictor.look(station.volume, seconds))
        except DeepspineError as error:
            looks.append(error)
    together = name_together(predictor, looks)
    joint = [_joint(predictor, look, together, i) for i, look in enumerate(looks)]
    joint_s = process_time() - started_s
    for i, station in enumerate(session.stations):
        if not station.readable:
            continue
        others = {k: other for k, other in enumerate(session.stations) if k != i}
        mates = {k for k, other in others.items() if other.readable and other.of_subject == station.of_subject}
        joined = set(together.named[i].joined) if together.named[i] else set()
        yield Row(
            group=session.group,
            session=session.name,
            scan=i,
            alone_right=right(singles[i], station),
            joint_right=right(joint[i], station),
            alone_confidence=round(singles[i].level_confidence, 4),
            joint_confidence=round(joint[i].level_confidence, 4),
            joined=len(joined & mates),
            mates=len(mates),
            joined_wrongly=len(joined - mates),
            strangers=len(others.keys() - mates),
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


def rows_of_made_up(session: MadeUp) -> Iterator[Row]:
    """Order each made-up scan alone, and together with the other one."""
    started_s = process_time()
    named = order_session(session.views)
    joint_s = (process_time() - started_s) / len(named)
    for i, (of_scan, view, values) in enumerate(zip(named, session.views, session.values, strict=True)):
        rights = [
            wrong_names(labeling, view, values) == 0
            and sum(map(bool, names_of(labeling, view))) >= LEAST_SHARE * len(values)
            for labeling in (of_scan.alone, of_scan.labeling)
        ]
        yield Row(
            group=session.group,
            session=session.name,
            scan=i,
            alone_right=rights[0],
            joint_right=rights[1],
            alone_confidence=round(of_scan.alone.level_confidence, 4),
            joint_confidence=round(of_scan.labeling.level_confidence, 4),
            joined=session.of_one * len(of_scan.joined),
            mates=int(session.of_one),
            joined_wrongly=(not session.of_one) * len(of_scan.joined),
            strangers=int(not session.of_one),
            alone_s=0.0,
            joint_s=round(joint_s, 3),
        )


def print_table(kind: str, rows: list[Row]) -> None:
    """Print one line per group in Markdown, and what must not be."""
    print(
        f"| {kind} | scans | right, alone | together | level confidence, alone | together | sure and wrong, alone |"
        " together | joined | joined wrongly | CPU time per scan, alone | together |"
    )
    print("|---|" + "---:|" * 11)
    for group in dict.fromkeys(row.group for row in rows):
        print_line(group, [row for row in rows if row.group == group])
    print_line("all", rows)
    worse = [row for row in rows if row.alone_right and not row.joint_right]
    better = [row for row in rows if row.joint_right and not row.alone_right]
    sure = [row for row in worse if row.joint_confidence > SURE]
    print(
        f"\nOf these {len(rows)} scans, joining made {len(better)} right and {len(worse)} wrong, {len(sure)} of them at"
    )
    print(f"a level confidence above {SURE:g}.\n")


def print_line(name: str, rows: list[Row]) -> None:
    """Print what came of some scans."""
    n = len(rows)

    def both(of: Callable[[str], str]) -> list[str]:
        return [of(how) for how in ("alone", "joint")]

    cells = [name, str(n)]
    cells += both(lambda how: str(sum(getattr(row, f"{how}_right") for row in rows)))
    cells += both(lambda how: f"{median(getattr(row, f'{how}_confidence') for row in rows):.2f}")
    cells += both(lambda how: str(sum(_sure_and_wrong(row, how) for row in rows)))
    cells += [_of(rows, "joined", "mates"), _of(rows, "joined_wrongly", "strangers")]
    cells += both(lambda how: _seconds(sum(getattr(row, f"{how}_s") for row in rows) / n))
    print(f"| {' | '.join(cells)} |")


def _sure_and_wrong(row: Row, how: str) -> bool:
    return getattr(row, f"{how}_confidence") > SURE and not getattr(row, f"{how}_right")


def _of(rows: list[Row], part: str, whole: str) -> str:
    n = sum(getattr(row, whole) for row in rows)
    return f"{sum(getattr(row, part) for row in rows)} of {n}" if n else ""


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds else ""


def main() -> None:
    """Score the sessions and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-data", type=Path, default=REAL, help="real scans and templates")
    parser.add_argument("-model", type=Path, help="network; default: the shipped one")
    parser.add_argument("-n", type=int, default=8, help="simulated sessions of each kind")
    parser.add_argument(
        "-real", type=int, default=28, help="real necks, and real lumbar volumes; three sessions of each"
    )
    parser.add_argument("-made-up", type=int, default=300, help="made-up sessions of each kind")
    parser.add_argument("-o", type=Path, help="table to write, .csv: one line per scan")
    args = parser.parse_args()
    predictor = Predictor.load(args.model)

    def of_images(sessions: Iterable[Session]) -> list[Row]:
        return [row for session in _bar(sessions) for row in rows_of(predictor, session)]

    real = of_images(islice(real_lumbar(args.data / "lumbar"), 3 * args.real))
    real += of_images(islice(real_necks(args.data / "slices"), 3 * args.real))
    tables = {"real sessions": real}
    if args.n:
        atlas = build_atlas(args.data)
        tables["simulated sessions"] = of_images(simulated_sessions(atlas, args.n))
    if args.made_up:
        sessions = _bar(made_up_sessions(args.made_up))
        tables["made-up sessions"] = [row for session in sessions for row in rows_of_made_up(session)]
    if args.o:
        with open(args.o, "w", newline="") as stream:
            writer = csv.DictWriter(stream, list(Row.__dataclass_fields__))
            writer.writeheader()
            writer.writerows(asdict(row) for rows in tables.values() for row in rows)
    for kind, rows in tables.items():
        print_table(kind, rows)


def _bar(sessions: Iterable) -> Iterable:
    hidden = None if os.environ.get("SCT_PROGRESS_BAR") != "off" else True  # None: off without a terminal
    return tqdm(sessions, unit="session", disable=hidden)


if __name__ == "__main__":
    main()
