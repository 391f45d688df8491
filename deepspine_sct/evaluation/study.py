"""Several tools on the same images: all scores, pooled in every way that a paper asks for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from deepspine_sct.anatomy import Points, disc_name
from deepspine_sct.data.labelled_image import LabelledImage
from deepspine_sct.evaluation.intervals import confidence_interval
from deepspine_sct.evaluation.metrics import (
    CaseScore,
    score_case,
    summarise,
)

INTERVALS = (
    "images_all_named",
    "naming_rate",
    "detection_rate",
    "identification_rate",
    "fnr",
    "fpr",
    "fnr_any_name",
    "fpr_any_name",
    "distance_mean_mm",
    "distance_si_mean_mm",
    "images_all_right",
)
"""Entries of `summarise` that get a 95 % confidence interval."""

Row = dict[str, object]

Scores = list[tuple[str, CaseScore]]
"""The subject and the score of each image."""


@dataclass(frozen=True)
class Study:
    """The answers of some tools to the same images.

    Attributes
    ----------
    cases : the images
    predictions : for each tool the discs that it named, one dict per image, in the order of `cases`
    tolerance_mm, span_only : see `score_case`
    """

    cases: Sequence[LabelledImage]
    predictions: dict[str, list[Points]]
    tolerance_mm: float = 5.0
    span_only: bool = True

    def scores(self, tool: str) -> list[CaseScore]:
        """Score the answers of a tool, one per image."""
        return [
            score_case(points, case.points, self.tolerance_mm, self.span_only)
            for points, case in zip(self.predictions[tool], self.cases, strict=True)
        ]

    @property
    def subjects(self) -> list[str]:
        """Say whose image each one is."""
        return [case.person for case in self.cases]

    def worst(self, tool: str, n: int) -> list[int]:
        """Return the indices of the n images with most errors, and of equal ones those farther off."""
        scores = self.scores(tool)
        return sorted(range(len(scores)), key=lambda i: _badness(scores[i]), reverse=True)[:n]


def _badness(score: CaseScore) -> tuple[int, float]:
    finite = [mm for mm in score.distance_mm.values() if mm == mm]
    return len(score.missed) + len(score.false), sum(finite) / max(len(finite), 1)


def summary_rows(study: Study) -> list[Row]:
    """Summarise each tool over all images, each contrast, each site and each level.

    Returns
    -------
    list of dict
        ``tool``, ``by`` (all, contrast, site, level), ``group``, ``n_subjects``, the entries of `summarise` and,
        for `INTERVALS`, ``<entry>_low`` and ``<entry>_high``.
    """
    return [_row(tool, by, group, scores) for tool in study.predictions for by, group, scores in _groups(study, tool)]


def _row(tool: str, by: str, group: str, scores: Scores) -> Row:
    subjects, cases = [subject for subject, _ in scores], [score for _, score in scores]
    row = {"tool": tool, "by": by, "group": group, "n_subjects": len(set(subjects)), **summarise(cases)}
    for name in INTERVALS:
        row[f"{name}_low"], row[f"{name}_high"] = confidence_interval(cases, name, subjects)
    return row


def _groups(study: Study, tool: str) -> Iterator[tuple[str, str, Scores]]:
    scores = list(zip(study.subjects, study.scores(tool), strict=True))
    yield "all", "all", scores
    for by in ("contrast", "site"):
        names = [getattr(case, by) or "unknown" for case in study.cases]
        for group in sorted(set(names)):
            yield by, group, [score for score, name in zip(scores, names, strict=True) if name == group]
    for value in sorted({value for case in study.cases for value in case.points}):
        there = [(subject, score) for subject, score in scores if value in score.distance_mm]
        yield "level", str(value), [(subject, at_level(score, value)) for subject, score in there]


def at_level(score: CaseScore, value: int) -> CaseScore:
    """Keep of a score only what concerns one disc value."""

    def only(values: Sequence[int]) -> tuple[int, ...]:
        return tuple(v for v in values if v == value)

    return replace(
        score,
        distance_mm={value: score.distance_mm[value]},
        distance_si_mm={value: score.distance_si_mm[value]},
        found=only(score.found),
        missed=only(score.missed),
        off_level=only(score.off_level),
        ghost=only(score.ghost),
        unseen=only(score.unseen),
        place={v: at for v, at in score.place.items() if v == value},
        named=only(score.named),
        detected=only(score.detected),
        misnamed=only(score.misnamed),
        stray=only(score.stray),
    )


def disc_rows(study: Study) -> list[Row]:
    """List every true disc, and every predicted one that is at no place of its own, of each tool.

    Returns
    -------
    list of dict
        ``tool``, ``case``, ``subject``, ``site``, ``contrast``, ``disc``, ``name``, ``kind`` (true
        or false), ``named`` and ``found`` (0 or 1, true discs only; see `CaseScore`),
        ``distance_mm``, ``distance_si_mm``, and ``lies_on``: the true disc under the
        prediction of this value, None where there is none.
    """
    rows = []
    for tool in study.predictions:
        for case, score in zip(study.cases, study.scores(tool), strict=True):
            about = {
                "tool": tool,
                "case": case.name,
                "subject": case.subject,
                "site": case.site,
                "contrast": case.contrast,
            }
            rows += [about | _true_disc(score, value) for value in score.distance_mm]
            rows += [about | _false_disc(score, value) for value in score.false]
    return rows


def _true_disc(score: CaseScore, value: int) -> Row:
    return _disc(score, value, "true") | {
        "named": int(value in score.named),
        "found": int(value in score.found),
        "distance_mm": score.distance_mm[value],
        "distance_si_mm": score.distance_si_mm[value],
    }


def _false_disc(score: CaseScore, value: int) -> Row:
    return _disc(score, value, "false") | {
        "named": None,
        "found": None,
        "distance_mm": None,
        "distance_si_mm": None,
    }


def _disc(score: CaseScore, value: int, kind: str) -> Row:
    return {
        "disc": value,
        "name": disc_name(value),
        "kind": kind,
        "lies_on": score.place.get(value),
    }
