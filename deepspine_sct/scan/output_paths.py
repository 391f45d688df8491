"""Where the results go, settled before any work starts and refused where they would do harm."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from deepspine_sct.errors import DeepspineError
from deepspine_sct.files.edited import edited_since
from deepspine_sct.files.names import sidecar_of, split_name, stem_of
from deepspine_sct.files.outputs import check_ending, check_files, check_folder, refuse_twin, same_file
from deepspine_sct.files.provenance import corrected_by, is_emptied
from deepspine_sct.files.tables import read_entries
from deepspine_sct.image.source import check_suffix


@dataclass(frozen=True)
class OutputPaths:
    """Paths that one run writes; None where nobody asked for it.

    Attributes
    ----------
    discs : Path or None
        Label file. Its folder may have to be made first.
    json : Path or None
        Report.
    overlay : Path or None
        Picture.
    session : Path or None
        Picture of the scan beside the others of its session.
    qc : Path or None
        Folder of the quality-control page.
    attention, heatmaps : Path or None
        NIfTI file of what the network looked at, and of what it saw; a picture goes beside each.
    levels, cord_discs : Path or None
        Labeled segmentation of the cord and discs on its middle line.
    has_sidecars : bool
        Whether a JSON file beside each label file says what made it.
    """

    discs: Path | None = None
    json: Path | None = None
    overlay: Path | None = None
    session: Path | None = None
    qc: Path | None = None
    attention: Path | None = None
    heatmaps: Path | None = None
    levels: Path | None = None
    cord_discs: Path | None = None
    has_sidecars: bool = False

    @property
    def label_files(self) -> tuple[Path, ...]:
        """Label file of the discs and those of the cord, as far as they are written."""
        return tuple(path for path in (self.discs, self.levels, self.cord_discs) if path is not None)

    @property
    def sidecars(self) -> dict[str, Path]:
        """JSON file beside each label file, by the name that `named` has for it."""
        labels = {"discs": self.discs, "levels": self.levels, "cord_discs": self.cord_discs}
        paths = {f"{name}_sidecar": sidecar_of(path) for name, path in labels.items() if path is not None}
        return paths if self.has_sidecars else {}

    @property
    def report_is_sidecar(self) -> bool:
        """Whether the report goes to where a sidecar would go, and then says itself what made the labels."""
        return self.json is not None and any(same_file(self.json, path) for path in self.sidecars.values())

    @property
    def wants_picture(self) -> bool:
        """Whether a picture has to be drawn."""
        return self.overlay is not None or self.session is not None or self.qc is not None or bool(self.explanations)

    @property
    def explanations(self) -> dict[str, Path]:
        """NIfTI file of each kind of explanation that was asked for."""
        paths = {"attention": self.attention, "heatmaps": self.heatmaps}
        return {kind: path for kind, path in paths.items() if path is not None}

    def named(self) -> dict[str, Path]:
        """Name each file that is written, the label file first."""
        paths = {"discs": self.discs, "json": self.json, "overlay": self.overlay, "session": self.session}
        if self.qc is not None:
            from deepspine_sct.quality_control.page_folder import PAGE_NAME  # not for the many without a page

            paths["qc"] = self.qc / PAGE_NAME
        for kind, path in self.explanations.items():
            paths |= {kind: path, f"{kind}_picture": picture_of(path)}
        paths |= {"levels": self.levels, "cord_discs": self.cord_discs}
        paths |= {name: path for name, path in self.sidecars.items() if not (self.json and same_file(path, self.json))}
        return {name: path for name, path in paths.items() if path is not None}


def plan_outputs(
    image: str,
    cord: str | None = None,
    *,
    file: str | None = None,
    folder: str = ".",
    json: str | None = None,
    overlay: str | None = None,
    session: str | None = None,
    qc: str | None = None,
    attention: str | None = None,
    heatmaps: str | None = None,
    inputs: Sequence[str] = (),
) -> OutputPaths:
    """Work out every output path from what the user asks for.

    Parameters
    ----------
    image : str
        Image to be labelled.
    cord : str, optional
        Segmentation of its cord, whose levels are then written beside the label file.
    file : str, optional
        Label file; by default `default_name` in `folder`, which is made when it is missing.
    folder : str
        Folder of the label file.
    json, overlay, session, qc, attention, heatmaps : str, optional
        See `OutputPaths`.
    inputs : sequence of str
        Further files that are read, and must not be overwritten.

    Returns
    -------
    OutputPaths

    Raises
    ------
    DeepspineError
        When a path has the wrong extension, cannot be written (see `files.outputs`), is a folder, or would
        overwrite an input or another output. Folders that are missing are made when all is well.
    """
    discs = Path(file) if file else Path(folder) / default_name(image)
    outputs = OutputPaths(
        discs=discs,
        json=optional_path(json),
        overlay=optional_path(overlay),
        session=optional_path(session),
        qc=optional_path(qc),
        attention=optional_path(attention),
        heatmaps=optional_path(heatmaps),
        levels=discs.parent / cord_name(cord, "_labeled") if cord else None,
        cord_discs=discs.parent / cord_name(cord, "_labeled_discs") if cord else None,
        has_sidecars=True,
    )
    if cord:
        _refuse_cord_named_as_image(Path(cord), Path(image), outputs)
    for path in (discs, *outputs.explanations.values()):
        check_suffix(path)
    for picture in filter(None, (outputs.overlay, outputs.session)):
        check_ending(picture, ".png", "a picture")
    for place in filter(None, (None if file else Path(folder), outputs.qc)):
        check_folder(place)
    read = [Path(name) for name in (image, cord, *inputs) if name]
    check_files(outputs.named().values(), read)
    if outputs.json:
        check_ending(outputs.json, ".json", "a report")
        _keep_scanner_json(outputs.json, read)
    if not outputs.report_is_sidecar:  # nobody asked for these, so they replace no JSON file of an input
        _keep_sidecars(outputs.sidecars.values(), read)
    for labels in outputs.label_files:
        refuse_twin(labels)
        # SCT's commands name the files of the cord as this one does, and write no JSON file.
        _keep_corrected(labels, untold="somebody" if labels == outputs.discs else "")
    return outputs


def _refuse_cord_named_as_image(cord: Path, image: Path, outputs: OutputPaths) -> None:
    """Refuse a segmentation whose label file, of a name that nobody gave, would be that of the image."""
    if same_file(cord, image):
        raise DeepspineError(f"{cord}: is the image itself; give the segmentation of its spinal cord with -s")
    if outputs.cord_discs == outputs.discs:
        raise DeepspineError(
            f"{cord}: has the name of the image, so that both would get {outputs.discs}; give the label file of the "
            "image another name with -o"
        )


def _keep_corrected(labels: Path, untold: str) -> None:
    """Refuse to replace labels that a person may have made; see `corrected_by`."""
    who, told = corrected_by(labels, untold), sidecar_of(labels)
    if not who:
        return
    if is_emptied(labels):
        raise DeepspineError(
            f"{labels}: is not there because {who} has removed all discs (see {told}); write to another file or "
            "folder, or remove that file first"
        )
    if edited_since(labels):
        raise DeepspineError(
            f"{labels}: was changed after this program had written it, perhaps by hand; write to another file or "
            "folder, or remove it first"
        )
    source = f"see {told}" if told.exists() else f"{told.name} is not there, which this program would have written"
    raise DeepspineError(
        f"{labels}: holds labels that {who} has made or corrected ({source}); write to another file or folder, "
        "or remove them first"
    )


def _keep_sidecars(files: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse to write, unasked, the JSON file that belongs to an input, whether it is there or not."""
    for path, source in product(files, inputs):
        if same_file(path, sidecar_of(source)):
            raise DeepspineError(f"{path}: belongs to the input {source} by its name; rename the output")


def _keep_scanner_json(report: Path, inputs: Iterable[Path]) -> None:
    """Refuse to write the report over the JSON file of an input, as dcm2niix writes it beside a scan."""
    for source in inputs:
        if same_file(report, sidecar_of(source)) and report.exists() and not _is_report(report):
            raise DeepspineError(
                f"{report}: belongs to the input {source} by its name, and would be lost; give the report another name"
            )


def _is_report(path: Path) -> bool:
    """Tell a report of this program from what a scanner, a converter or a person has written."""
    return {"discs", "level_confidence", "versions"} <= read_entries(path).keys()


def default_name(image: str) -> str:
    """Name the label file after the image, as SCT's commands do: t2_labeled_discs.nii.gz."""
    return f"{stem_of(image)}_labeled_discs.nii.gz"


def cord_name(cord: str, ending: str) -> str:
    """Name a labeled cord after its segmentation, as SCT does: t2_seg_labeled.nii.gz."""
    stem, suffix = split_name(cord)
    return f"{stem}{ending}{suffix}"


def picture_of(path: Path) -> Path:
    """Name the picture beside a NIfTI file."""
    return path.with_name(f"{stem_of(path)}.png")


def optional_path(name: str | None) -> Path | None:
    """Return a name as a path, where one is given."""
    return Path(name) if name else None
