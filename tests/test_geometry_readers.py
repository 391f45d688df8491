"""Image and outputs lie on each other for every family of readers, whatever the header says of itself."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from fake_predictor import SHAPE, FakePredictor, known_discs, oblique_affine

from deepspine_sct.cli import label
from deepspine_sct.image.sform_qform import geometry_warnings
from deepspine_sct.pictures import network_maps

sitk.ProcessObject.SetGlobalWarningDisplay(False)  # ITK's own words on the headers below


def turned(affine: np.ndarray, shift_mm=(35.0, -60.0, 400.0), degrees: float = 20.0) -> np.ndarray:
    """Another rigid placement of the same voxels."""
    angle = np.deg2rad(degrees)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turn[:3, 3] = shift_mm
    return turn @ affine


def shift_only(affine):
    """The same placement, 7 mm to the side."""
    return turned(affine, (7.0, 0, 0), 0)


def mirrored(affine):
    """The last axis reversed about the middle of the image."""
    flip = np.diag([1.0, 1, -1, 1])
    flip[2, 3] = SHAPE[2] - 1
    return affine @ flip


def set_forms(image, sform=None, s_code=1, qform=None, q_code=1):
    """Set both transforms, each with its code, also where the code is 0."""
    affine = oblique_affine()
    image.set_sform(affine if sform is None else sform, s_code)
    image.set_qform(affine if qform is None else qform, q_code)


def set_field(image, **fields):
    """Overwrite header fields as they stand in the file."""
    for name, value in fields.items():
        image.header[name] = value


def stretched(image, *zooms_mm: float):
    """Voxel sizes that are not those of the sform."""
    image.header["pixdim"][1:4] = zooms_mm


CASES = {
    "both the same": (lambda image: set_forms(image), 0),
    **{
        f"sform {s_code}, qform {q_code}, apart": (
            lambda image, s=s_code, q=q_code: set_forms(image, s_code=s, qform=turned(oblique_affine()), q_code=q),
            1,
        )
        for s_code in (1, 2, 3, 4, 5)
        for q_code in (1, 2, 4)
    },
    "a shift of 7 mm": (lambda image: set_forms(image, s_code=2, qform=shift_only(oblique_affine())), 1),
    "an axis reversed": (lambda image: set_forms(image, s_code=3, qform=mirrored(oblique_affine())), 1),
    "sform alone": (lambda image: set_forms(image, s_code=2, qform=turned(oblique_affine()), q_code=0), 0),
    "qform alone": (lambda image: set_forms(image, turned(oblique_affine()), 0, q_code=2), 0),
    "neither": (lambda image: set_forms(image, s_code=0, q_code=0), 1),
    "voxel sizes against the sform": (
        lambda image: (set_forms(image, s_code=2, q_code=0), stretched(image, 3.5, 1.5, 2.0)),
        1,
    ),
    "voxel sizes against both": (lambda image: (set_forms(image, s_code=1), stretched(image, 3.0, 1.2, 2.0)), 2),
    "metres": (lambda image: (set_forms(image), set_field(image, xyzt_units=1)), 1),
    "micrometres": (lambda image: (set_forms(image), set_field(image, xyzt_units=3)), 1),
    "units unknown": (lambda image: (set_forms(image), set_field(image, xyzt_units=0)), 0),
    "seconds among the units": (lambda image: (set_forms(image), set_field(image, xyzt_units=10)), 0),
    "an aligned qform of another code": (lambda image: set_forms(image, s_code=4, q_code=2), 0),
}
"""How each image's header is made, and how many warnings it deserves."""


def write_image(path: Path, make, kind=nib.Nifti1Image) -> Path:
    """Write noise with a header of the case."""
    data = np.random.default_rng(0).normal(100, 20, SHAPE).astype(np.float32)
    image = kind(data, None)
    image.header["pixdim"][1:4] = 3.0, 1.5, 2.0
    make(image)
    nib.save(image, path)
    return path


def write_cord(path: Path, image: Path) -> Path:
    """Write a straight cord with the header of the image."""
    theirs = nib.load(image)
    data = np.zeros(SHAPE, np.uint8)
    data[:, 24:27, 3:6] = 1
    header = theirs.header.copy()
    header.set_data_dtype(np.uint8)
    nib.save(type(theirs)(data, None, header), path)
    return path


def sitk_corners_mm(path: Path) -> np.ndarray:
    """(8, 3) corners of a file as ITK sees them."""
    image = sitk.ReadImage(str(path))
    ijk = np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(image.GetSize()) - 1)
    return np.array([image.TransformIndexToPhysicalPoint(index.tolist()) for index in ijk])


def nibabel_corners_mm(path: Path) -> np.ndarray:
    """(8, 3) corners of a file as nibabel sees them."""
    image = nib.load(path)
    ijk = np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(image.shape) - 1)
    return nib.affines.apply_affine(image.affine, ijk)


PLACE = ("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z",
         "srow_x", "srow_y", "srow_z", "xyzt_units")  # fmt: skip


@pytest.mark.parametrize(
    ("case", "kind"),
    [*((case, nib.Nifti1Image) for case in CASES), *((case, nib.Nifti2Image) for case in list(CASES)[:4])],
)
def test_every_output_lies_on_the_image_for_nibabel_and_for_itk(tmp_path, monkeypatch, case, kind):
    """Label file, levels and discs of the cord, attention and heatmaps: within 0.01 mm, field by field."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(network_maps, "render_map", lambda *_: b"")  # the pictures are not looked at
    points = known_discs()
    image = write_image(tmp_path / "t2.nii.gz", CASES[case][0], kind)
    ijk = np.array([np.linalg.inv(oblique_affine()) @ [*disc.xyz_mm, 1] for disc in points])[:, :3]
    used = nib.load(image).affine
    discs = [
        type(d)(d.value, nib.affines.apply_affine(used, at), d.confidence) for d, at in zip(points, ijk, strict=True)
    ]
    monkeypatch.setattr(label, "load_predictor", lambda args: FakePredictor(discs))
    cord = write_cord(tmp_path / "seg.nii.gz", image)
    arguments = ["-i", "t2.nii.gz", "-c", "t2", "-s", cord.name, "-ofolder", "out", "-v", "0"]
    assert label.main([*arguments, "-attention", "attention.nii", "-heatmaps", "heat.nii.gz"]) == 0
    outputs = ["out/t2_labeled_discs.nii.gz", "out/seg_labeled.nii.gz", "out/seg_labeled_discs.nii.gz"]
    header = nib.load(image).header
    for name in (*outputs, "attention.nii", "heat.nii.gz"):
        np.testing.assert_allclose(nibabel_corners_mm(Path(name)), nibabel_corners_mm(image), atol=0.01)
        written = nib.load(name).header
        assert all(np.array_equal(written[field], header[field]) for field in PLACE), name
        assert np.array_equal(written["pixdim"][:4], header["pixdim"][:4])
        if kind is nib.Nifti2Image:  # which ITK does not read
            continue
        # A metre in the header is a thousand of ITK's millimetres.
        scale = 1000 if header.get_xyzt_units()[0] == "meter" else 1
        np.testing.assert_allclose(sitk_corners_mm(Path(name)), sitk_corners_mm(image), atol=0.01 * scale)


@pytest.mark.parametrize("case", CASES)
def test_every_contradiction_is_named_with_what_itk_does(tmp_path, case):
    """One sentence each, and its word on which transform ITK takes is what SimpleITK really does."""
    make, n_warnings = CASES[case]
    path = write_image(tmp_path / "a.nii", make)
    said = geometry_warnings(path)
    assert len(said) == n_warnings and all("\n" not in sentence for sentence in said)
    if not (said and "two geometries" in said[0]):
        return
    image = nib.load(path)
    if np.allclose(image.get_sform()[:3, 3], image.get_qform()[:3, 3]):
        return  # the origin does not tell which one is taken
    origin_mm = np.array(sitk.ReadImage(str(path)).GetOrigin()) * (-1, -1, 1)
    by_sform, by_qform = (
        np.allclose(origin_mm, form[:3, 3], atol=0.01) for form in (image.get_sform(), image.get_qform())
    )
    assert by_sform == ("Slicer) use it too" in said[0]) and by_qform == ("Slicer) use the qform" in said[0])


def test_a_sheared_image_keeps_its_shear_and_is_named(tmp_path):
    """ITK reads neither the image nor the labels; nibabel reads both alike."""
    from deepspine_sct.image.nifti import read_volume, write_discs

    affine = oblique_affine()
    affine[:3, 0] += 0.2 * affine[:3, 1]
    path = write_image(tmp_path / "a.nii", lambda image: (image.set_sform(affine, 2), image.set_qform(None, 0)))
    grid = read_volume(path).grid
    write_discs(tmp_path / "d.nii", grid, {3: grid.to_world((4, 20, 5))}, like=path)
    np.testing.assert_allclose(nibabel_corners_mm(tmp_path / "d.nii"), nibabel_corners_mm(path), atol=0.01)
    for name in ("a.nii", "d.nii"):
        with pytest.raises(RuntimeError, match="orthonormal"):
            sitk.ReadImage(str(tmp_path / name))
    assert any("right angles" in sentence for sentence in geometry_warnings(path))
