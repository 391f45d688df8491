"""Corrections that are made in a real browser come back as label files, to the voxel."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from browser import CHROMIUM, NO_CHROMIUM, Browser
from fake_predictor import VOXELS, world, write_scan
from page_cases import MADE, add_scan, make_page
from templates import SOURCES

from deepspine_sct.cli import correct
from deepspine_sct.image.labels import read_labels
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.quality_control.page_folder import write_page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)

DEMO = Path(__file__).resolve().parent.parent / "data_test"
IMAGES = [
    *(DEMO / f"{name}_sim.nii.gz" for name in ("t1", "t2", "t2_lumbar")),
    SOURCES / "volumes" / "t2_lumbar.nii.gz",
    *(SOURCES / "volumes" / f"t1_sg_{n}.nii.gz" for n in (1, 2)),
    *(SOURCES / "lumbar" / f"spider{n}_T2w.nii.gz" for n in ("022", "035", "050", "061")),
]


@pytest.fixture
def scan(tmp_path) -> Path:
    """Write the oblique scan whose axes run I, A and L."""
    return write_scan(tmp_path / "t2.nii.gz")


def known_points() -> dict[int, np.ndarray]:
    """Give the discs of the oblique scan."""
    return {value: world(ijk) for value, ijk in VOXELS.items()}


class Rater(Browser):
    """A person at the page of one scan."""

    def place_of(self, row: float, column: float) -> tuple[float, float]:
        """Find a voxel centre of the picture in the window [px], by the browser's own arithmetic."""
        point = self.value(
            f"(() => {{ const scan = selected; const [r, c] = [{row}, {column}];"
            "const p = new DOMPoint((c + 0.5) * scan.plane.pixel_mm[1], (r + 0.5) * scan.plane.pixel_mm[0])"
            ".matrixTransform(pane.getScreenCTM()); return [p.x, p.y]; })()"
        )
        return tuple(point)

    def place_of_disc(self, value: int) -> tuple[float, float]:
        """Find the dot of a disc in the window [px]."""
        box = f"document.querySelector('.disc[data-value=\"{value}\"] .dot').getBoundingClientRect()"
        x, y = self.value(f"(() => {{ const b = {box}; return [b.x + b.width / 2, b.y + b.height / 2]; }})()")
        return x, y

    def values(self) -> list[int]:
        """List the values of the discs that are drawn, from the top."""
        return self.value("discsOf(selected).map((disc) => disc.value)")

    def save(self, folder: Path) -> Path:
        """Press the button that saves, and wait for the file."""
        path = folder / "corrections.json"
        path.unlink(missing_ok=True)
        self.value("document.getElementById('save').click()")
        self.wait_until(lambda: path.exists() and path.read_text().endswith("}\n"))
        return path


def voxels_of(path: Path) -> dict[int, tuple[int, ...]]:
    """Read the voxel of each disc with nibabel alone."""
    data = np.asarray(nib.load(path).dataobj)
    return {int(data[tuple(ijk)]): tuple(ijk.tolist()) for ijk in np.argwhere(data)}


def in_picture(image: Path, ijk) -> tuple[float, float]:
    """Row and column that a voxel has in an upright sagittal picture, by nibabel's own reorientation."""
    nifti = nib.load(image)
    start = nib.io_orientation(nifti.affine)
    turn = nib.orientations.ornt_transform(start, nib.orientations.axcodes2ornt(("L", "I", "P")))
    back = nib.orientations.inv_ornt_aff(turn, nifti.shape)
    _, row, column = nib.affines.apply_affine(np.linalg.inv(back), ijk)
    return row, column


def test_a_dragged_disc_is_written_where_it_was_dropped(tmp_path, scan):
    """In the very voxel of the picture, in the slice where it was; the others stay to the voxel."""
    target = (10, 24, 5)
    with Rater(make_page(tmp_path / "qc", scan, known_points()), tmp_path) as page:
        page.drag(page.place_of_disc(4), page.place_of(*in_picture(scan, target)))
        path = page.save(tmp_path)
        assert page.errors == []
    assert correct.main(["-i", str(path), "-ofolder", str(tmp_path / "out")]) == 0
    labels = tmp_path / "out" / "t2_labeled_discs.nii.gz"
    assert voxels_of(labels) == VOXELS | {4: target}
    assert np.allclose(nib.load(labels).affine, nib.load(scan).affine)
    assert nib.load(labels).get_data_dtype() == np.uint8


def test_discs_are_added_deleted_shifted_and_brought_back(tmp_path, scan):
    """Each step is undone by one key, and the names follow the order of the rows."""
    with Rater(make_page(tmp_path / "qc", scan, known_points()), tmp_path) as page:
        assert page.values() == [3, 4, 5, 6, 7]
        page.press("ArrowDown", "ArrowDown", "Delete")
        assert page.values() == [3, 5, 6, 7]
        page.double_click(*page.place_of(*in_picture(scan, (9, 19, 5))))
        assert page.values() == [3, 4, 5, 6, 7]  # the gap gave it its name
        page.press("]")
        assert page.values() == [4, 5, 6, 7, 8]
        page.press("[", "[", "[")
        assert page.values() == [1, 2, 3, 4, 5]
        page.press("[")  # there is no name above the first one
        assert page.values() == [1, 2, 3, 4, 5]
        page.press("u", "u", "u", "u", "u")
        assert page.values() == [3, 5, 6, 7]
        page.press("u")
        assert page.values() == [3, 4, 5, 6, 7]
        page.double_click(*page.place_of(*in_picture(scan, (16, 20, 4))))  # between 5 and 6 no name is free
        assert page.values() == [3, 4, 5, 6, 7, 8]
        page.press("u")
        page.drag(page.place_of_disc(6), page.place_of(*in_picture(scan, (12, 20, 4))))
        assert page.values() == [3, 4, 5, 6, 7]  # dragged past 5, it has become 5
        path = page.save(tmp_path)
        assert page.errors == []
    assert correct.main(["-i", str(path), "-ofolder", str(tmp_path / "out")]) == 0
    expected = VOXELS | {5: (12, 20, 4), 6: VOXELS[5]}
    assert voxels_of(tmp_path / "out" / "t2_labeled_discs.nii.gz") == expected


def test_keys_alone_move_a_disc_by_voxels(tmp_path, scan):
    """Two rows down and one column to the back; also with the picture zoomed."""
    row, column = in_picture(scan, VOXELS[5])
    with Rater(make_page(tmp_path / "qc", scan, known_points()), tmp_path) as page:
        page.press("+", "+", "ArrowUp", "ArrowUp", "ArrowUp")
        page.press("ArrowDown", "ArrowDown", "ArrowRight", shift=True)
        path = page.save(tmp_path)
    assert correct.main(["-i", str(path), "-ofolder", str(tmp_path / "out")]) == 0
    moved = voxels_of(tmp_path / "out" / "t2_labeled_discs.nii.gz")
    assert in_picture(scan, moved[5]) == pytest.approx((row + 2, column + 1))
    assert {value: moved[value] for value in (3, 4, 6, 7)} == {value: VOXELS[value] for value in (3, 4, 6, 7)}


def test_nothing_is_lost_on_reload_and_a_saved_file_is_read_back(tmp_path, scan):
    """The browser keeps every correction at once; another browser takes them from the file."""
    page_file = make_page(tmp_path / "qc", scan, known_points())
    with Rater(page_file, tmp_path / "first") as page:
        page.press("]", "p")
        page.value("document.getElementById('comment').value = 'one too high'")
        page.value("document.getElementById('comment').dispatchEvent(new Event('change'))")
        page.reload()
        assert page.values() == [4, 5, 6, 7, 8]
        assert page.value("[markOf(selected), workOn(selected).comment]") == ["pass", "one too high"]
        saved = page.save(tmp_path / "first")
    with Rater(page_file, tmp_path / "second") as page:
        assert page.values() == [3, 4, 5, 6, 7]
        page.choose_file("#load", saved)
        page.wait_until(lambda: page.values() == [4, 5, 6, 7, 8])
        assert json.loads(page.save(tmp_path / "second").read_text())["scans"] == json.loads(saved.read_text())["scans"]


def test_a_failed_scan_can_be_labelled_by_hand(tmp_path, scan):
    """Where no disc was found the picture is there all the same, and clicks make the discs."""
    with Rater(make_page(tmp_path / "qc", scan, {}), tmp_path) as page:
        for value in (3, 4, 5):
            page.double_click(*page.place_of(*in_picture(scan, VOXELS[value])))
        path = page.save(tmp_path)
    assert correct.main(["-i", str(path), "-ofolder", str(tmp_path / "out")]) == 0
    found = voxels_of(tmp_path / "out" / "t2_labeled_discs.nii.gz")
    assert {v: in_picture(scan, ijk) for v, ijk in found.items()} == {
        v: pytest.approx(in_picture(scan, VOXELS[v])) for v in (3, 4, 5)
    }


def test_the_corrections_of_ten_scans_come_back_to_the_voxel(tmp_path):
    """Real scans and simulated ones on one page: discs dragged, deleted and added lie where a person put them."""
    images = [image for image in IMAGES if image.exists()]
    starts = {image: start_points(image) for image in images}
    for image, points in starts.items():
        add_scan(tmp_path / "qc", image, points)
    drawn = {}
    with Rater(write_page(tmp_path / "qc"), tmp_path) as page:
        for image, points in starts.items():
            page.value(f"openFromOutside(scans.find((scan) => scan.image === {json.dumps(str(image))}))")
            page.press("f")
            drawn[image] = correct_scan(page, image, points)
        path = page.save(tmp_path)
        assert page.errors == []
    assert correct.main(["-i", str(path), "-ofolder", str(tmp_path / "out"), "-v", "0"]) == 0
    for image, targets in drawn.items():
        (labels,) = (tmp_path / "out").rglob(f"{image.name.partition('.')[0]}_label*.nii.gz")
        written = voxels_of(labels)
        assert {value: in_picture(image, ijk) for value, ijk in written.items()} == {
            value: pytest.approx(target) for value, target in targets.items()
        }, image.name
        grid = read_volume(image, lazy=True).grid
        across = grid.moves_to(("L", "I", "P"))[0][0]
        for value in sorted(starts[image])[:-1]:  # left and right are as they were; the last one was added anew
            before = np.rint(grid.to_index(starts[image][value]))[across]
            assert abs(before - written[value][across]) <= curve_of(page_plane(tmp_path, image))
    assert len(drawn) >= 3


def correct_scan(page: Rater, image: Path, points: dict[int, np.ndarray]) -> dict[int, tuple[float, float]]:
    """Move all discs of a scan, delete the last one, and add it again a row lower; return rows and columns."""
    grid = read_volume(image, lazy=True).grid
    targets = {}
    for n, (value, xyz) in enumerate(points.items()):
        row, column = in_picture(image, np.rint(grid.to_index(xyz)))
        targets[value] = (row + (n % 3 - 1), column + 3 + n % 2)
        page.drag(page.place_of_disc(value), page.place_of(*targets[value]))
    last = max(points)
    page.value(f"choose({last})")
    page.press("Delete")
    assert last not in page.values()
    row, column = targets[last]
    targets[last] = (row + 1, column)
    page.double_click(*page.place_of(*targets[last]))
    assert page.values() == sorted(points)
    return targets


def page_plane(folder: Path, image: Path) -> dict:
    """Read the plane in which the page shows a scan."""
    (path,) = (folder / "qc" / "deepspine").glob(f"{image.name.partition('.')[0]}-*.json")
    return json.loads(path.read_text())["plane"]


def curve_of(plane: dict) -> float:
    """Slices that a disc may move to the side with a few rows, as the plane follows the spine."""
    curve = np.array(plane["curve"])
    return 0 if len(curve) == 1 else np.ceil(np.abs(np.diff(curve[:, 1])).max())


def start_points(image: Path) -> dict[int, np.ndarray]:
    """Give discs to begin with: those of the label file of the scan, else some along a line through it."""
    for ending, replaced in (("_labels.nii.gz", ".nii.gz"), ("_discs.nii.gz", "_T2w.nii.gz")):
        labels = image.with_name(image.name.replace(replaced, ending))
        if labels != image and labels.exists():
            return read_labels(labels)
    grid = read_volume(image, lazy=True).grid
    upright = grid.reoriented(("L", "I", "P"))
    slices, rows, columns = upright.shape
    ijk = [(slices // 2, rows * share, columns / 2) for share in (0.2, 0.4, 0.6, 0.8)]
    return {17 + n: upright.to_world(np.rint(at)) for n, at in enumerate(ijk)}


def test_provenance_names_the_network_and_the_person(tmp_path):
    """Of a BIDS scan the files lie where `prepare` looks, with Sources and GeneratedBy as BIDS wants them."""
    image = tmp_path / "data" / "sub-1" / "ses-a" / "anat" / "sub-1_ses-a_T2w.nii.gz"
    image.parent.mkdir(parents=True)
    write_scan(image)
    add_scan(tmp_path / "qc", image, known_points())
    with Rater(write_page(tmp_path / "qc"), tmp_path) as page:
        page.value("document.getElementById('rater').value = 'A. Rater'")
        page.press("]")
        path = page.save(tmp_path)
    labels = tmp_path / "data" / "derivatives" / "labels"
    assert correct.main(["-i", str(path), "-ofolder", str(labels)]) == 0
    written = labels / "sub-1" / "ses-a" / "anat" / "sub-1_ses-a_T2w_label-discs_dlabel.nii.gz"
    assert voxels_of(written) == {value + 1: ijk for value, ijk in VOXELS.items()}
    sidecar = json.loads(written.with_name(written.name.replace(".nii.gz", ".json")).read_text())
    network, person = sidecar["GeneratedBy"]
    assert (network["Name"], network["ModelChecksum"]) == ("deepspine_sct", MADE["model"])
    assert (person["Name"], person["Author"]) == ("Manual", "A. Rater")
    assert person["DiscsByHand"] == ["C3/C4", "C4/C5", "C5/C6", "C6/C7", "C7/T1"]
    assert sidecar["Sources"] == ["bids:raw:sub-1/ses-a/anat/sub-1_ses-a_T2w.nii.gz"]
