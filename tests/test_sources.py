"""The layout of the training sources, from small made-up archives in the shape that their owners give them."""

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from deepspine_sct.data.bids import find_scans
from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.labels import read_labels
from deepspine_sct.image.nifti import read_any, read_volume, write_discs, write_volume
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.volume import Volume
from deepspine_sct.sources import icbm152, pam50, spider, spine_generic
from deepspine_sct.sources.__main__ import main
from deepspine_sct.sources.disc_tips import middle_slice, posterior_tip
from deepspine_sct.training.real import load_slices

LUMBAR = Path(__file__).resolve().parent.parent.parent / "shared" / "real" / "lumbar"
RNG = np.random.default_rng(5)


def save(path: Path, data: np.ndarray, affine: np.ndarray) -> None:
    """Write a NIfTI file without our own writer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


def make_pam50(template: Path, shape=(8, 10, 13)) -> dict[str, np.ndarray]:
    """A template folder as SCT has it, in LAS, with a T2w average of the masks' resolution."""
    affine = np.diag([-0.5, 0.5, 0.5, 1.0])
    affine[:3, 3] = 35, -81.22, -561.84
    files = {name: RNG.integers(0, 3, shape).astype(np.uint8) for name in (*pam50.MASKS, "PAM50_gm")}
    files["PAM50_t2"] = RNG.integers(0, 900, shape).astype(np.uint16)
    for name, data in files.items():
        save(template / f"{name}.nii.gz", data, affine)
    return files


@pytest.mark.parametrize("given", [".", "data", "data/PAM50", "data/PAM50/template"])
def test_pam50_comes_from_anywhere_on_the_way_to_the_template(tmp_path, given):
    """The masks are the same bytes, and the small average is the mean of 2 x 2 x 4 voxels from the first corner on."""
    files = make_pam50(tmp_path / "sct" / "data" / "PAM50" / "template")
    assert pam50.lay_out(tmp_path / "sct" / given, tmp_path / "out") == 5
    made = tmp_path / "out" / "pam50"
    source = tmp_path / "sct" / "data" / "PAM50" / "template"
    for name in pam50.MASKS:
        assert (made / f"{name}.nii.gz").read_bytes() == (source / f"{name}.nii.gz").read_bytes()
    small = read_volume(made / "PAM50_small_t2.nii.gz")
    assert small.data.shape == (4, 5, 3)
    assert small.data[1, 2, 2] == pytest.approx(files["PAM50_t2"][2:4, 4:6, 8:12].mean())
    fine = read_volume(source / "PAM50_t2.nii.gz").grid
    assert small.grid.to_world((1, 2, 2)) == pytest.approx(fine.to_world((2.5, 4.5, 9.5)))
    assert not (made / "PAM50_gm.nii.gz").exists()


def test_a_small_average_that_is_there_is_taken(tmp_path):
    """SCT's test data bring PAM50_small_t2 itself."""
    make_pam50(tmp_path)
    save(tmp_path / "PAM50_small_t2.nii.gz", RNG.integers(1, 9, (3, 4, 5)).astype(np.uint16), np.diag([-1.0, 1, 2, 1]))
    pam50.lay_out(tmp_path, tmp_path / "out")
    copied = (tmp_path / "out" / "pam50" / "PAM50_small_t2.nii.gz").read_bytes()
    assert copied == (tmp_path / "PAM50_small_t2.nii.gz").read_bytes()


def test_a_template_file_that_is_missing_is_named(tmp_path, capsys):
    """An incomplete installation is refused before anything is written."""
    make_pam50(tmp_path)
    (tmp_path / "PAM50_csf.nii.gz").unlink()
    assert main(["-ofolder", str(tmp_path / "out"), "-pam50", str(tmp_path)]) == 1
    assert "PAM50_csf.nii.gz is missing" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def make_icbm(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """One release as it is packed: uncompressed NIfTI, average and mask."""
    affine = np.eye(4)
    affine[:3, 3] = -98, -134, -72
    image, mask = RNG.uniform(5, 90, (7, 8, 9)), RNG.integers(0, 2, (7, 8, 9))
    save(folder / "mni_icbm152_t1_tal_nlin_sym_09a.nii", image.astype(np.float64), affine)
    save(folder / "mni_icbm152_t1_tal_nlin_sym_09a_mask.nii", mask.astype(np.float64), affine)
    save(folder / "mni_icbm152_t1_tal_nlin_sym_09a_face_mask.nii", mask.astype(np.float64), affine)
    save(folder / "mni_icbm152_t2_tal_nlin_sym_09a.nii", image.astype(np.float64), affine)
    return image, mask


def test_the_brain_is_cut_out_of_the_average_head(tmp_path):
    """Outside of the mask nothing is left; inside the order of the intensities stays, and so does the place."""
    image, mask = make_icbm(tmp_path / "icbm")
    assert icbm152.lay_out(tmp_path / "icbm", tmp_path / "out") == 1
    brain = read_volume(tmp_path / "out" / "head" / "icbm152_t1.nii.gz")
    assert (brain.data[mask == 0] == 0).all() and brain.data.max() == 255
    inside = mask > 0
    assert np.corrcoef(brain.data[inside], image[inside])[0, 1] > 0.999
    assert brain.grid.to_world((1, 2, 3)) == pytest.approx((-97, -132, -69))


def test_two_releases_in_one_folder_are_refused(tmp_path):
    """Which one is meant cannot be guessed."""
    make_icbm(tmp_path)
    for path in sorted(tmp_path.glob("*t1*09a.nii")) + sorted(tmp_path.glob("*t1*09a_mask.nii")):
        path.with_name(path.name.replace("_sym_", "_asym_")).write_bytes(path.read_bytes())
    with pytest.raises(Exception, match="holds 2 images"):
        icbm152.lay_out(tmp_path, tmp_path / "out")


def make_bids(root: Path) -> dict[int, np.ndarray]:
    """Two labelled scans of two sites and one without labels, in the tree of spine-generic."""
    grid = Grid((9, 60, 50), np.array([[1.0, 0, 0, -4], [0, 1, 0, 0], [0, 0, 1, 10], [0, 0, 0, 1]]))
    points = {value: grid.to_world((6, 20 + value, 55 - 5 * value)) for value in (3, 4, 5, 6)}
    for stem in ("sub-amu01/anat/sub-amu01_T1w", "sub-tokyo750w01/anat/sub-tokyo750w01_T2w", "sub-x/anat/sub-x_T1w"):
        data = np.zeros(grid.shape, np.float32)
        data[4:9] = 100  # five slices, from 4 to 8, around the points' 6
        data[0] = 1000
        path = root / f"{stem}.nii.gz"
        path.parent.mkdir(parents=True)
        write_volume(path, Volume(data + RNG.uniform(0, 1, grid.shape).astype(np.float32), grid))
        if "sub-x" not in stem:
            label = root / "derivatives" / "labels" / f"{stem}_label-discs_dlabel.nii.gz"
            label.parent.mkdir(parents=True)
            write_discs(label, grid, points)
    return points


def test_slices_are_cut_through_the_discs_and_bring_their_points(tmp_path):
    """The slice averages 5 mm around the discs, its points are theirs, and training reads it by its own table."""
    points = make_bids(tmp_path / "bids")
    assert spine_generic.lay_out(tmp_path / "bids", tmp_path / "out") == 2
    made = tmp_path / "out" / "slices"
    volume = read_volume(made / "sub-amu01_T1w.nii.gz")
    assert sorted(volume.data.shape)[0] == 1 and 5.0 in volume.grid.zooms_mm
    assert volume.data.min() > 240, "the bright slice beside them is not part of it"
    table = json.loads((made / "annotations.json").read_text())
    for value, xyz_mm in points.items():
        assert table["slices"]["sub-amu01_T1w"]["discs_xyz_mm"][str(value)] == pytest.approx(xyz_mm, abs=0.01)
    training, evaluation = (load_slices(made, evaluation=flag) for flag in (False, True))
    assert [s.site for s in training] == ["amu"] and [s.site for s in evaluation] == ["tokyo750w"]
    row, column = training[0].tips_rc[2]
    upright = canonical(volume)
    assert upright.grid.to_world((0, row, column)) == pytest.approx(points[3], abs=0.01)
    with (made / "index.csv").open() as file:
        assert [row["file"] for row in csv.DictReader(file)] == ["sub-amu01_T1w.nii.gz", "sub-tokyo750w01_T2w.nii.gz"]


def make_scan(root: Path, zooms_mm=(1.0, 1.0, 1.0), middle: int = 7, values=(3, 4, 5, 6)) -> Path:
    """A labelled scan of one subject, in whose every slice another pixel is bright; its discs lie in ``middle``."""
    grid = Grid((15, 60, 50), np.diag([*zooms_mm, 1.0]))
    data = np.zeros(grid.shape, np.float32)
    data[np.arange(15), 10 + np.arange(15), 40] = 100
    stem = "sub-amu01/anat/sub-amu01_T2w"
    label = root / "derivatives" / "labels" / f"{stem}_label-discs_dlabel.nii.gz"
    for path in (root / f"{stem}.nii.gz", label):
        path.parent.mkdir(parents=True)
    write_volume(root / f"{stem}.nii.gz", Volume(data, grid))
    write_discs(label, grid, {value: grid.to_world((middle, 20 + value, 45 - 5 * value)) for value in values})
    return root


@pytest.mark.parametrize("middle", [6, 7])
@pytest.mark.parametrize(("width_mm", "n_slices"), [(1.0, 5), (0.8, 7), (2.0, 3), (4.0, 1)])
def test_as_many_slices_are_averaged_around_every_middle(tmp_path, middle, width_mm, n_slices):
    """The number is the odd one nearest to 5 mm, whether the discs lie in an even or an odd slice."""
    (scan,) = find_scans(make_scan(tmp_path, (width_mm, 1.0, 1.0), middle))
    _, made = spine_generic.mid_sagittal(scan)
    bright = np.flatnonzero(made.data[0].any(axis=0))
    assert len(bright) == n_slices and np.ptp(bright) == n_slices - 1
    assert made.grid.shape[2] - 1 - bright.mean() == 10 + middle


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"values": (3,)}, "holds only 1 disc"),
        ({"values": (3, 4, 6)}, "disc 5 is missing between 4 and 6"),
        ({"zooms_mm": (1.0, 1.0, 0.8)}, "pixels of 0.80 x 1.00 mm"),
    ],
)
def test_a_scan_that_would_teach_what_is_wrong_is_left_out(tmp_path, capsys, how, reason):
    """One disc, a gap and pixels that are not square are refused here as in a prepared set; the subject is named."""
    with pytest.raises(DeepspineError, match="that can be used"):
        spine_generic.lay_out(make_scan(tmp_path / "bids", **how), tmp_path / "out")
    message = capsys.readouterr().err
    assert "left out" in message and "sub-amu01_T2w" in message and reason in message


def make_spider(archive: Path, orientation: str, mask_name: str) -> dict[int, np.ndarray]:
    """One subject as the archive has it: three discs between bodies, in front of a canal; return the true tips."""
    labels = np.zeros((10, 60, 40), np.uint8)  # right to left, down, back
    labels[3:8, :, 26:30] = 100
    labels[4, 56:60, 32:36] = 101  # a vertebra that is only partly in view
    tips = {}
    for i, label in enumerate((203, 202, 201)):
        labels[2:9, 10 + 18 * i : 14 + 18 * i, 8:26] = label
        labels[2:9, 14 + 18 * i : 24 + 18 * i, 8:26] = 3 - i
        # The middle slice is 5; the last column of the disc is 25, its middle row 11.5.
        tips[26 - (label - 200)] = np.array([4 - 0.9 * 5, -12 - 0.5 * 25, 80 - 0.5 * (11.5 + 18 * i)])
    (archive / "images").mkdir(parents=True)
    (archive / "masks").mkdir()
    for data, path in ((labels * 7 + 3, "images/5_t2_SPACE.mha"), (labels, f"masks/{mask_name}")):
        picture = sitk.GetImageFromArray(data.astype(np.int16))
        picture.SetSpacing((0.5, 0.5, 0.9))  # back, down, left: the reverse of the array's axes
        picture.SetDirection((0, 0, 1, 1, 0, 0, 0, -1, 0))
        picture.SetOrigin((-4.0, 12.0, 80.0))  # left, posterior, superior
        sitk.WriteImage(sitk.DICOMOrient(picture, orientation), str(archive / path))
    return tips


@pytest.mark.parametrize("orientation", ["PIL", "LPS", "ASR"])
@pytest.mark.parametrize("mask_name", ["5_t2_SPACE.mha", "5.mha"])
def test_a_subject_is_laid_out_in_our_world(tmp_path, orientation, mask_name):
    """Names count from the sacrum upwards, tips lie where the masks end, fine pixels become half as many."""
    tips = make_spider(tmp_path / "archive", orientation, mask_name)
    assert spider.lay_out(tmp_path / "archive", tmp_path / "out") == 1
    made = tmp_path / "out" / "lumbar"
    with (made / "discs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["scan"] for row in rows] == ["spider005_T2w"] * 3
    assert [int(row["value"]) for row in rows] == [25, 24, 23]
    for row in rows:
        place_mm = [float(row[axis]) for axis in ("x_mm", "y_mm", "z_mm")]
        assert place_mm == pytest.approx(tips[int(row["value"])], abs=0.02)
    tissue, scan = read_any(made / "spider005_tissue.nii.gz"), read_volume(made / "spider005_T2w.nii.gz")
    assert scan.grid.axcodes == ("R", "A", "S")
    assert scan.grid.zooms_mm == pytest.approx([0.9, 1.0, 1.0])
    counts = {"vertebrae": 7 * 9 * 15 + 4, "discs": 7 * 9 * 6, "canal": 5 * 2 * 30}
    assert [int((tissue.data == value).sum()) for value in (1, 2, 3)] == list(counts.values())
    for value, xyz_mm in read_labels(made / "spider005_discs.nii.gz").items():
        assert xyz_mm == pytest.approx(tips[value], abs=0.75), "one voxel, to half a pixel"


def test_a_mask_of_another_grid_is_refused(tmp_path, capsys):
    """A mask that was resampled does not belong to its image."""
    make_spider(tmp_path / "archive", "PIL", "5.mha")
    path = tmp_path / "archive" / "masks" / "5.mha"
    sitk.WriteImage(sitk.ReadImage(str(path))[:, :50], str(path))
    assert main(["-ofolder", str(tmp_path / "out"), "-spider", str(tmp_path / "archive")]) == 1
    assert "5.mha: lies on another grid" in capsys.readouterr().err


def test_the_command_says_what_is_still_missing(tmp_path, capsys):
    """Archives may come one after the other; an empty call is a usage error."""
    make_icbm(tmp_path / "icbm")
    assert main(["-ofolder", str(tmp_path / "out"), "-icbm152", str(tmp_path / "icbm")]) == 0
    assert "Still missing: pam50, slices, lumbar" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["-ofolder", str(tmp_path / "out")])


@pytest.mark.parametrize("option", ["-pam50", "-icbm152", "-spine-generic", "-spider"])
def test_a_wrong_folder_is_named_with_its_remedy(tmp_path, capsys, option):
    """The user learns which folder was wrong and what belongs there."""
    (tmp_path / "empty").mkdir()
    assert main(["-ofolder", str(tmp_path / "out"), option, str(tmp_path / "empty")]) == 1
    message = capsys.readouterr().err
    assert str(tmp_path / "empty") in message and "; " in message and message.count("\n") == 1


@pytest.mark.skipif(not LUMBAR.is_dir(), reason="needs the real scans")
def test_the_tips_are_those_that_the_weights_trained_on():
    """From the masks of 28 real subjects, the tips agree with the published points to half a millimetre on average."""
    away_mm = []
    for path in sorted(LUMBAR.glob("*_tissue.nii.gz")):
        tissue = canonical(read_any(path))
        points = read_points(path.name.removesuffix("_tissue.nii.gz"))
        at = middle_slice(tissue.data == 3)
        discs, _ = ndimage.label(tissue.data[at] == 2)
        for xyz_mm in points.values():
            k, *place_rc = tissue.grid.to_index(xyz_mm)
            assert round(k) == at
            pixels = np.argwhere(discs > 0)
            nearest = pixels[np.linalg.norm(pixels - place_rc, axis=1).argmin()]
            tip_rc = posterior_tip(discs == discs[tuple(nearest)])
            away_mm.append(np.linalg.norm((tip_rc - place_rc) * tissue.grid.zooms_mm[1:]))
    assert len(away_mm) == 216
    assert np.mean(away_mm) < 0.6 and np.percentile(away_mm, 95) < 1.2


def read_points(name: str) -> dict[int, np.ndarray]:
    """The given points of a subject, in mm."""
    with (LUMBAR / "discs.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["scan"] == f"{name}_T2w"]
    return {int(row["value"]): np.array([float(row[axis]) for axis in ("x_mm", "y_mm", "z_mm")]) for row in rows}
