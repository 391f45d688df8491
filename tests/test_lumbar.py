"""Real lumbar anatomies, on made-up subjects whose canal, discs and sacrum are known, and on some real ones."""

import lumbar_phantom
import nibabel as nib
import numpy as np
import pytest
from lumbar_phantom import SIZE, TIP_FRONT_MM, VALUES, along_mm, coordinates_mm, place_mm
from templates import SOURCES

from deepspine_sct.anatomy import LEVEL_MM
from deepspine_sct.simulation.lumbar import CANAL, DISC, VERTEBRA, load_subjects, read_subject

TILTS_DEG = {"a_upright": 0.0, "b_tilted": 15.0}
LUMBAR = SOURCES / "lumbar"
needs_lumbar = pytest.mark.skipif(not LUMBAR.is_dir(), reason="needs the real lumbar subjects")


def line_coordinates_mm(subject, tilt_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """Where the canal's line runs, along the true canal and in front of its middle."""
    xyz_mm = subject.scan.grid.to_world(subject.line.at_mm / subject.scan.grid.zooms_mm)
    return coordinates_mm(xyz_mm, tilt_deg)


def in_scanner_mm(subject, xyz_mm: np.ndarray) -> np.ndarray:
    """World points as (down, back) of the canonical volume."""
    return (subject.scan.grid.to_index(xyz_mm) * subject.scan.grid.zooms_mm)[..., 1:]


@pytest.mark.parametrize("name", TILTS_DEG)
def test_the_line_follows_the_middle_of_the_canal(lumbar_subjects, name):
    """From 5 mm below the canal's upper end to L5/S1 the line keeps to the cylinder's axis, to 1.5 mm."""
    along, front = line_coordinates_mm(lumbar_subjects[name], TILTS_DEG[name])
    inside = (along > 5) & (along < along_mm(VALUES[-1]))
    assert inside.sum() > 150 and np.abs(front[inside]).max() < 1.5


@pytest.mark.parametrize("name", TILTS_DEG)
def test_the_tips_lie_at_their_levels(lumbar_subjects, name):
    """At the labelled tips s is the template's level; half-way between two of them it is the mean of both."""
    subject, tilt_deg = lumbar_subjects[name], TILTS_DEG[name]
    assert sorted(subject.points) == list(VALUES)
    for value, xyz_mm in subject.points.items():
        s_mm, u_mm = subject.line.to_template(in_scanner_mm(subject, xyz_mm))
        assert s_mm == pytest.approx(LEVEL_MM[value - 1], abs=1e-9)
        assert u_mm == pytest.approx(TIP_FRONT_MM / SIZE, abs=1.5)  # the tip's voxel is 2 mm wide
    for above in VALUES[:-1]:
        between = np.array((along_mm(above) + along_mm(above + 1)) / 2)
        s_mm, u_mm = subject.line.to_template(in_scanner_mm(subject, place_mm(between, np.array(3.0), tilt_deg)))
        assert s_mm == pytest.approx(LEVEL_MM[above - 1 : above + 1].mean(), abs=2)
        assert u_mm == pytest.approx(3 / SIZE, abs=1)
    assert subject.line.size == pytest.approx(SIZE, rel=0.02)


@pytest.mark.parametrize(("off_mm", "moves"), [(8.0, True), (2.0, False)])
def test_a_point_far_in_front_of_its_disc_s_end_is_moved_there(tmp_path, off_mm, moves):
    """A point of L2/L3 that lies 8 mm too far in front comes back to its disc's posterior end; 2 mm are left alone."""
    path = lumbar_phantom.write_subject(tmp_path, "d_point")
    labels = nib.load(tmp_path / "d_point_discs.nii.gz")
    data = np.asarray(labels.dataobj).copy()
    at = np.argwhere(data == 22)[0]
    data[tuple(at)] = 0
    data[at[0], at[1] + round(off_mm / 2), at[2]] = 22  # voxels of 2 mm, the second axis runs to the front
    nib.save(nib.Nifti1Image(data, labels.affine), tmp_path / "d_point_discs.nii.gz")
    _, front_mm = coordinates_mm(read_subject(path).points[22], 0.0)
    assert front_mm == pytest.approx(TIP_FRONT_MM if moves else TIP_FRONT_MM + off_mm, abs=2.1)


def test_a_canal_that_turns_forwards_is_cut(lumbar_subjects):
    """The line of the hooked canal goes on backwards below L5/S1, within 6 mm of the straight canal's axis."""
    along, front = line_coordinates_mm(lumbar_subjects["c_hooked"], 15.0)
    beyond_mm = along - along_mm(VALUES[-1])
    below = (beyond_mm > 0) & (beyond_mm < 50)
    assert front[below].max() < 6  # the hook itself is 30 mm in front there
    points_mm = lumbar_subjects["c_hooked"].line.at_mm
    assert (np.diff(points_mm[beyond_mm > lumbar_phantom.HOOK_BELOW_MM][:, 2]) > 0).all()


def test_the_sacrum_is_labelled_in_front_of_the_canal_and_nowhere_else(lumbar_subjects):
    """All new labels lie below L5/S1 in front of the tips; bright ones are bone, the dark remnant is disc."""
    subject = lumbar_subjects["b_tilted"]
    xyz_mm = subject.scan.grid.to_world(np.moveaxis(np.indices(subject.tissue.shape), 0, -1))
    along, front = coordinates_mm(xyz_mm, TILTS_DEG[subject.name])
    beyond_mm = along - along_mm(VALUES[-1])
    body = (front > TIP_FRONT_MM) & (front < TIP_FRONT_MM + lumbar_phantom.BODY_DEPTH_MM)
    labelled_before = (body & (along > 0) & (beyond_mm < lumbar_phantom.DISC_HALF_MM)) | (subject.tissue == CANAL)
    new = (subject.tissue > 0) & ~labelled_before
    assert new.sum() > 500
    beside_canal = new & (beyond_mm < 40)  # farther down the zone bends backwards, as sacra do
    assert beyond_mm[new].min() > 0 and front[beside_canal].min() > lumbar_phantom.CANAL_RADIUS_MM - 2
    assert subject.line.to_template(in_scanner_mm(subject, xyz_mm[new]))[1].min() > 2  # in front of the line, all of it
    assert beyond_mm[new].max() < 110 and front[new].max() < TIP_FRONT_MM + 32
    low, high = lumbar_phantom.REMNANT_BELOW_MM
    inside = new & (front > TIP_FRONT_MM + 5) & (front < TIP_FRONT_MM + 15)  # away from the borders
    remnant, bone = inside & (beyond_mm > low + 2) & (beyond_mm < high - 2), inside & (beyond_mm < low - 4)
    assert (subject.tissue[remnant] == DISC).all() and remnant.sum() > 10
    assert (subject.tissue[bone] == VERTEBRA).mean() > 0.95 and bone.sum() > 100


@needs_lumbar
def test_real_subjects_have_their_discs_in_front_of_their_canal():
    """Of four real subjects every tip is 2 to 22 mm in front of the line, and the line descends without a fold."""
    from deepspine_sct.simulation.lumbar import read_subject

    for path in sorted(LUMBAR.glob("*_T2w.nii.gz"))[:4]:
        subject = read_subject(path)
        tips_mm = in_scanner_mm(subject, np.array(list(subject.points.values())))
        _, u_mm = subject.line.to_template(tips_mm)
        assert u_mm.min() > 2 and u_mm.max() < 22, subject.name
        assert (np.diff(subject.line.at_mm[:, 1]) > 0).all(), subject.name
        assert (np.diff(subject.line.s_mm) < 0).all(), subject.name


def test_subjects_come_in_the_order_of_their_names(lumbar_folder, lumbar_subjects, tmp_path):
    """The order of the files in the folder does not matter, and a folder that is not there holds nobody."""
    assert list(lumbar_subjects) == sorted(path.name[: -len("_T2w.nii.gz")] for path in lumbar_folder.glob("*_T2w*"))
    assert load_subjects(tmp_path / "lumbar") == []
