"""What a user must know before trusting the labels: a sentence, and a code that programs can rely on."""

from __future__ import annotations

CODES = {
    "no_disc": "No disc was found, or nothing in the image looks like a spine.",
    "disc_missing": "A disc was not found although both of its neighbours were.",
    "levels_uncertain": "The names as a whole may be shifted by a level.",
    "few_discs": "Too few discs were found to check their names against their distances.",
    "contradicts_given": "Without the disc or the range that the user gave, the discs of the image have other names.",
    "given_beside_spine": "A disc that the user gave lies beside the spine that the image shows.",
    "given_between_discs": "A disc that the user gave lies between two discs that the image shows.",
    "given_out_of_count": "The values of two discs that the user gave do not fit the number of discs between them.",
    "upside_down": "After turning it over, the image looks as much like a spine as before.",
    "poor_fit": "What was found fits a spine badly.",
    "second_spine": "There are discs in a second column beside the one that was named.",
    "thick_slices": "The voxels are too coarse, in the sagittal plane, to show discs well.",
    "outside_image": "A disc lies outside of the image and was not written.",
    "low_confidence": "A disc is more likely wrong than right.",
    "untested_contrast": "The network was not tested on this contrast.",
    "two_geometries": "The sform and the qform of the header contradict each other.",
    "voxel_sizes_contradict": "The voxel sizes of the header contradict its sform.",
    "no_geometry": "The header has neither a sform nor a qform.",
    "sheared": "The axes of the image are not at right angles, and some programs do not read such images.",
    "length_units": "The lengths in the header are in another unit than millimetres.",
    "output_failed": "A file that was asked for beside the label file could not be written.",
    "other_scan_replaced": "The label file held the labels of another scan, which were replaced.",
    "corrected_by_hand": "A label file that a person has corrected was not replaced by the automatic labels.",
    "no_attention": "The network has no attention, so its map says nothing.",
    "beyond_cord": "A disc lies beyond the ends of the segmented cord.",
    "cord_gap": "The segmentation of the cord is interrupted.",
    "cord_pieces": "The segmentation of the cord marks something far beside the cord.",
    "no_cord_levels": "The segmentation of the cord cannot be used, and its levels were not written.",
    "session_apart": "Another scan of the session could not be named together with this one.",
    "session_renamed": "Other scans of the session changed the names of this one.",
    "no_way_back": "A disc of the straightened image has no place in the scan.",
}
"""Every code with its meaning. A code, once published, keeps its meaning."""


class Caution(str):
    """A sentence for the user, which is also known by a code.

    It is a string, so that it prints, joins and compares as one. Programs look at `code`, as the
    sentence may be worded otherwise in the next version.

    Parameters
    ----------
    code : str
        One of `CODES`.
    text : str
        The sentence.

    Raises
    ------
    ValueError
        When the code is unknown.
    """

    __slots__ = ("code",)

    code: str

    def __new__(cls, code: str, text: str) -> Caution:
        """Make a sentence with its code."""
        if code not in CODES:
            raise ValueError(f"unknown code of a caution: {code}")
        caution = super().__new__(cls, text)
        caution.code = code
        return caution

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]  # a str itself is made of one
        """Say what a copy is made of, for `copy` and `pickle`."""
        return self.code, str(self)

    def to_dict(self) -> dict[str, str]:
        """Return code and text as JSON holds them."""
        return {"code": self.code, "text": str(self)}
