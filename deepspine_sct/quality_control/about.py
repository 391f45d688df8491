"""What stands on the page beside the scans: what made the labels, how, and how to cite it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .. import __version__

CITATIONS = (
    "Azad R, Rouhier L, Cohen-Adad J. Stacked Hourglass Network with a Multi-level Attention Mechanism: Where to Look "
    "for Intervertebral Disc Labeling. Machine Learning in Medical Imaging (MLMI) 2021. "
    "doi:10.1007/978-3-030-87589-3_42",
    "Newell A, Yang K, Deng J. Stacked Hourglass Networks for Human Pose Estimation. ECCV 2016. "
    "doi:10.1007/978-3-319-46484-8_29",
    "De Leener B, et al. PAM50: Unbiased multimodal template of the brainstem and spinal cord aligned with the ICBM152 "
    "space. NeuroImage 2018;165. doi:10.1016/j.neuroimage.2017.10.041",
)
"""Works to cite together with the program."""


@dataclass(frozen=True)
class About:
    """Facts about the run that the page reports.

    Attributes
    ----------
    dataset, source : name of the data set and where it is; "" where the page shows single scans
    command : what was typed
    date : when the labels were made
    versions : of the program and the libraries, by name
    model : file of the network and its SHA-256
    cost : time and memory that the labels took
    """

    dataset: str = ""
    source: str = ""
    command: str = ""
    date: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    model: dict[str, str] = field(default_factory=dict)
    cost: str = ""

    def rows(self) -> list[tuple[str, str]]:
        """List the facts that are known, each with its name."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        model = " ".join(filter(None, (self.model.get("file", ""), self.model.get("sha256", ""))))
        facts = {
            "Data set": self.dataset,
            "Read from": self.source,
            "Command": self.command,
            "Labels of": self.date,
            "Network": model,
            "Versions": versions or f"deepspine_sct {__version__}",
            "Cost": self.cost,
        }
        return [(name, text) for name, text in facts.items() if text]

    def methods(self) -> str:
        """Write the paragraph that a paper can use as it is."""
        network = f" (network SHA-256 {self.model['sha256'][:12]})" if self.model.get("sha256") else ""
        version = self.versions.get("deepspine_sct", __version__)
        return (
            f"Intervertebral discs were labelled with deepspine_sct version {version}{network}. A stacked hourglass "
            "network with multi-level attention (Azad et al., 2021; Newell et al., 2016) was applied to mid-sagittal "
            "slabs of each image, with one heatmap for each disc. The discs were put in order and named by dynamic "
            "programming over the heatmaps and over the distances between neighbouring discs. Each disc is one point "
            "at its posterior tip, valued with the number that the Spinal Cord Toolbox gives it."
        )
