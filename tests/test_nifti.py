"""NIfTI files in and out, good ones and bad ones."""

import gzip
import os
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
from geometry_cases import ORIENTATIONS, SCANS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepspine_sct.errors import DeepspineError, NoDiscFound
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.labels import read_labels
from deepspine_sct.image.nifti import read_volume, write_discs

AFFINE = np.array([[0.0, 0, -3, 9], [-1, 0, 0, 20], [0, 2, 0, -30], [0, 0, 0, 1]])


def ramp(shape=(3, 4, 5), dtype=np.int16):
    """Array of different values in an asymmetric shape."""
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def save(path, data, affine=AFFINE):
    """Write a file with nibabel."""
    nib.save(nib.Nifti1Image(data, affine), path)
    return path


def int16(*values):
    """Bytes of little-endian short integers, as a header holds them."""
    return np.array(values, dtype="<i2").tobytes()


def float32(*values):
    """Bytes of little-endian single floats, as a header holds them."""
    return np.array(values, dtype="<f4").tobytes()


def patch(path, *edits):
    """Overwrite bytes of an uncompressed file: (offset, bytes)."""
    content = bytearray(path.read_bytes())
    for offset, data in edits:
        content[offset : offset + len(data)] = data
    path.write_bytes(content)
    return path


def refusal(path, read=read_volume):
    """Message with which a file is refused; must be one line that names the file."""
    with pytest.raises(DeepspineError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message and ";" in message
    return message.removeprefix(f"{path}: ")


# Reading images


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".NII", ".NII.GZ"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("dtype", ["u1", "i1", "<i2", ">i2", "u2", "i4", "u4", "<f4", ">f4", "f8", "i8", "u8"])
def test_every_type_is_read_as_float32(tmp_path, suffix, kind, dtype):
    """Any version, type and byte order, compressed or not, gives the same volume."""
    data = ramp(dtype=dtype)
    image = kind(data, AFFINE, dtype=data.dtype)
    if dtype[0] == ">":
        image = kind(data, AFFINE, image.header.as_byteswapped(">"))
    plain = tmp_path / "x.nii"
    nib.save(image, plain)
    path = tmp_path / f"image{suffix}"
    content = plain.read_bytes()
    path.write_bytes(gzip.compress(content) if suffix.lower().endswith("gz") else content)
    volume = read_volume(path)
    assert volume.data.dtype == np.float32
    np.testing.assert_array_equal(volume.data, ramp())
    np.testing.assert_array_equal(volume.grid.affine, AFFINE)


def test_scaling_is_applied(tmp_path):
    """Stored values are turned into real ones by slope and intercept, as nibabel does."""
    path = tmp_path / "scaled.nii.gz"
    image = nib.Nifti1Image(ramp(), AFFINE)
    image.header.set_slope_inter(0.25, -3)
    nib.save(image, path)
    np.testing.assert_allclose(read_volume(path).data, nib.load(path).get_fdata(), rtol=1e-6)


def test_long_image_is_read_in_blocks(tmp_path):
    """An image of several blocks arrives whole and in order."""
    data = np.random.default_rng(0).integers(0, 1000, (131, 128, 127), dtype=np.int16)
    path = save(tmp_path / "long.nii", data)
    np.testing.assert_array_equal(read_volume(path).data, data)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_memory_is_one_float32_copy(tmp_path, suffix):
    """Reading needs the volume once, and a small block besides."""
    data = np.ones((200, 200, 256), dtype=np.int16)
    data[0] = 0
    path = save(tmp_path / f"big{suffix}", data)
    tracemalloc.start()
    volume = read_volume(path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1.4 * volume.data.nbytes


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_geometry_is_nibabels(tmp_path, codes):
    """Sform, qform alone and neither give the affine that nibabel, and so SCT, uses."""
    shape, affine = SCANS["oblique"].stored(ORIENTATIONS[codes])
    for s_code, q_code in [(1, 1), (2, 0), (0, 1), (0, 0)]:
        image = nib.Nifti1Image(ramp(shape), affine)
        image.set_qform(affine, q_code)
        image.set_sform(affine if s_code else None, s_code)
        path = tmp_path / f"{s_code}{q_code}.nii"
        nib.save(image, path)
        volume = read_volume(path)
        np.testing.assert_array_equal(volume.grid.affine, nib.load(path).affine)
        assert volume.data.shape == shape


def test_sform_comes_before_qform(tmp_path):
    """Where the two disagree the sform counts."""
    image = nib.Nifti1Image(ramp(), AFFINE)
    image.set_qform(np.diag([1.0, 1, 1, 1]), 1)
    nib.save(image, tmp_path / "both.nii")
    np.testing.assert_array_equal(read_volume(tmp_path / "both.nii").grid.affine, AFFINE)


@pytest.mark.parametrize("extra", [(1,), (1, 1)])
def test_single_volume_of_four_dimensions(tmp_path, extra):
    """Trailing dimensions of length 1 are dropped."""
    path = save(tmp_path / "four.nii", ramp((3, 4, 5, *extra)))
    np.testing.assert_array_equal(read_volume(path).data, ramp())


@pytest.mark.parametrize("shape", [(1, 4, 5), (3, 1, 5), (3, 4, 1)])
def test_one_slice_stays_three_dimensional(tmp_path, shape):
    """A single slice along any axis keeps its axis."""
    assert read_volume(save(tmp_path / "slice.nii", ramp(shape))).data.shape == shape


def test_undefined_values_become_zero(tmp_path, capfd):
    """NaN, infinity and what float32 cannot hold are zero, without a warning."""
    data = ramp(dtype=np.float64)
    expected = data.copy()
    for index, value in enumerate([np.nan, np.inf, -np.inf, 1e300]):
        data[1, 2, index], expected[1, 2, index] = value, 0
    path = save(tmp_path / "nan.nii.gz", data)
    np.testing.assert_array_equal(read_volume(path).data, expected)
    assert capfd.readouterr() == ("", "")


def test_harmless_header_faults_are_repaired_in_silence(tmp_path, caplog):
    """What nibabel mends it reports to our own quiet logger, not to the user's screen."""
    path = save(tmp_path / "x.nii", ramp())
    patch(path, (76, float32(0.5, -3)))  # qfac, pixdim[1]
    np.testing.assert_array_equal(read_volume(path).grid.affine, AFFINE)
    assert {record.name for record in caplog.records} == {"deepspine_sct.image.nifti.repairs"}


# Refusing images


def test_missing_file(tmp_path):
    """A path that leads nowhere is reported as such."""
    assert refusal(tmp_path / "none.nii.gz") == "no such file; check the path"


def test_missing_folder_in_the_path(tmp_path):
    """A path through a folder or file that does not lead on is reported, too."""
    (tmp_path / "file").touch()
    assert "no such file" in refusal(tmp_path / "nowhere/none.nii")
    assert "no such file" in refusal(tmp_path / "file/none.nii")


def test_folder(tmp_path):
    """A folder is no image."""
    assert refusal(tmp_path) == "is a folder; give an image file"


@pytest.mark.parametrize("name", ["a.mgz", "a.img", "a.dcm", "a.gz", "a", "nii"])
def test_unknown_extension(tmp_path, name):
    """Another format is refused by its name, with the names that are read."""
    (tmp_path / name).write_bytes(b"x" * 1000)
    assert refusal(tmp_path / name) == "unknown file type; use .nii or .nii.gz"


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_empty_file(tmp_path, suffix):
    """A file of no bytes is called empty."""
    (tmp_path / f"a{suffix}").touch()
    assert refusal(tmp_path / f"a{suffix}") == "is empty; copy it again"


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("pointer", ["/annex/objects/MD5E-s1--ab.nii.gz\n", "../.git/annex/objects/Xx/MD5E-s1--ab.nii"])
def test_annex_pointer_file(tmp_path, suffix, pointer):
    """A git-annex pointer says how to fetch the content."""
    path = tmp_path / f"a{suffix}"
    path.write_text(pointer)
    assert refusal(path) == f"is only a pointer; fetch it with: git annex get {path}"


def test_annex_symlink_without_content(tmp_path):
    """A dangling git-annex link says how to fetch the content; another dangling link does not."""
    annexed, plain = tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"
    annexed.symlink_to("../.git/annex/objects/Xx/Yy/MD5E-s1--ab.nii.gz/MD5E-s1--ab.nii.gz")
    plain.symlink_to("gone.nii.gz")
    assert refusal(annexed) == f"no such file; fetch it with: git annex get {annexed}"
    assert refusal(plain) == "no such file; check the path"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path):
    """A file without read permission is reported, not crashed on."""
    path = save(tmp_path / "a.nii", ramp())
    path.chmod(0)
    assert "cannot be read" in refusal(path)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_pipe_or_device(tmp_path, suffix):
    """What would keep a reader waiting or never end is refused at once."""
    pipe, device = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    for path in (pipe, device):
        assert refusal(path) == "is a pipe or a device; give an image file"


@pytest.mark.parametrize("offset", [0.0, 16.0, 347.0])
def test_voxels_do_not_begin_within_the_header(tmp_path, offset):
    """An offset of 0, which some programs write, would make voxels of the header and shift all others by 176 places."""
    path = patch(save(tmp_path / "a.nii", ramp()), (108, float32(offset)))
    assert refusal(path).endswith("export it again")


def test_link_to_itself(tmp_path):
    """A loop of links is a file that is not there."""
    path = tmp_path / "a.nii.gz"
    path.symlink_to(path.name)
    assert refusal(path) == "no such file; check the path"


def test_checksum_of_a_gzip_is_compared(tmp_path):
    """A file that decompresses to other bytes than were compressed is refused, the last byte read."""
    noise = np.random.default_rng(0).integers(0, 2**15, (20, 21, 22)).astype(np.int16)
    path = save(tmp_path / "a.nii.gz", noise)
    patch(path, (path.stat().st_size - 8, b"\1\2\3\4"))
    assert "damaged or truncated gzip (CRC check failed" in refusal(path)
    assert "CRC" in refusal(path, lambda path: read_volume(path, lazy=True))


def test_a_stream_that_grows_a_thousandfold_is_refused(tmp_path):
    """A real bomb, 600 MB of zeros in 600 kB, costs neither memory nor time."""
    header = save(tmp_path / "a.nii", ramp(dtype=np.uint8)).read_bytes()[:352]
    header = header[:42] + int16(850, 850, 850) + header[48:]
    path = tmp_path / "bomb.nii.gz"
    million = gzip.compress(bytes(10**6))
    path.write_bytes(gzip.compress(header) + 615 * million)
    tracemalloc.start()
    assert refusal(path) == "is too short a file for its shape (850, 850, 850); copy it again"
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 2e6


def test_an_empty_label_image_may_be_compressed_a_thousandfold(tmp_path):
    """A sparse label file of a usual size is no bomb."""
    data = np.zeros((200, 200, 200), dtype=np.uint8)
    data[1, 2, 3] = 5
    path = tmp_path / "l.nii.gz"
    path.write_bytes(gzip.compress(save(tmp_path / "l.nii", data).read_bytes()))
    assert data.nbytes / path.stat().st_size > 500
    assert list(read_labels(path)) == [5]


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_truncated_file(tmp_path, suffix, share):
    """A file cut anywhere is refused."""
    noise = np.random.default_rng(0).integers(0, 2**15, (20, 21, 22)).astype(np.int16)
    path = save(tmp_path / f"a{suffix}", noise)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refusal(path)


def test_damaged_gzip(tmp_path):
    """A flipped byte in the compressed stream is refused."""
    noise = np.random.default_rng(0).integers(0, 2**15, (20, 21, 22)).astype(np.int16)
    path = save(tmp_path / "a.nii.gz", noise)
    middle = path.stat().st_size // 2
    patch(path, (middle, b"\xff" * 40))
    with pytest.raises(DeepspineError, match="damaged|cannot be read"):
        read_volume(path)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("shape", [(2000, 1000, 1000), (30000, 30000, 30000), (600, 600, 600)])
def test_header_that_promises_too_much_costs_no_memory(tmp_path, suffix, shape):
    """A small file that declares a huge image is refused before anything is allocated."""
    path = patch(save(tmp_path / "a.nii", ramp()), (42, int16(*shape)))
    if suffix == ".nii.gz":
        (tmp_path / "a.nii.gz").write_bytes(gzip.compress(path.read_bytes()))
    tracemalloc.start()
    message = refusal(tmp_path / f"a{suffix}")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "too short" in message or "voxels, more than" in message
    assert peak_bytes < 2e6


def test_image_too_large_for_memory(tmp_path):
    """More than 2**31 voxels are refused even where the file holds them."""
    path = save(tmp_path / "a.nii", ramp(dtype=np.uint8))
    patch(path, (42, int16(1300, 1300, 1300)))
    os.truncate(path, 352 + 1300**3)  # a sparse file: takes no space on the disk
    assert "has 2197000000 voxels, more than" in refusal(path)
    path.unlink()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (ramp((4, 5)), "has 2 dimensions; give a 3-D image"),
        (ramp((4,)), "has 1 dimensions; give a 3-D image"),
        (ramp((3, 4, 5, 2)), "has 2 volumes; extract one of them"),
        (ramp((3, 4, 5, 1, 3)), "has 3 volumes; extract one of them"),
        (ramp(dtype=np.complex64), "has colour or complex voxels; give a scalar image"),
        (
            np.zeros((3, 4, 5), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")]),
            "has colour or complex voxels; give a scalar image",
        ),
        (np.full((3, 4, 5), 7.0), "every voxel has the same value; give an image of a spine"),
        (np.full((3, 4, 5), np.nan), "holds no finite value; export it again"),
    ],
    ids=["2-D", "1-D", "4-D", "5-D", "complex", "RGB", "constant", "NaN"],
)
def test_image_of_another_kind(tmp_path, data, message):
    """What is no 3-D scalar image of something is refused, saying what it is."""
    assert refusal(save(tmp_path / "a.nii.gz", data)) == message


@pytest.mark.parametrize("size", [0, -5])
def test_dimension_that_is_not_positive(tmp_path, size):
    """A side of no voxels is refused."""
    path = patch(save(tmp_path / "a.nii", ramp()), (44, int16(size)))
    assert "holds no voxel" in refusal(path)


def test_zero_voxel_size(tmp_path):
    """A voxel of no size is refused where the qform or the voxel sizes would be used."""
    for q_code in (0, 1):
        path = save(tmp_path / f"{q_code}.nii", ramp())
        patch(path, (84, float32(0)), (252, int16(q_code, 0)))
        assert refusal(path) == "has a voxel size of zero; export it again"


@pytest.mark.parametrize("row", [(0, 0, 0, 0), (-1, 0, 0, 3), (np.nan, 0, 0, 0)])
def test_singular_affine(tmp_path, row):
    """An sform that maps voxels onto each other, or nowhere, is refused."""
    path = patch(save(tmp_path / "a.nii", ramp()), (312, float32(*row)))
    assert "unusable header (the affine is singular" in refusal(path)


def test_unknown_data_type(tmp_path):
    """A data type code that NIfTI does not define is refused."""
    path = patch(save(tmp_path / "a.nii", ramp()), (70, int16(999)))
    assert "unusable header" in refusal(path)


def test_text_file(tmp_path):
    """A text file under an image's name is refused."""
    (tmp_path / "a.nii").write_text("not an image, " * 100)
    assert refusal(tmp_path / "a.nii") == "is not a NIfTI file; convert the image to NIfTI"


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 351), st.binary(min_size=1, max_size=8)), max_size=4))
def test_any_header_is_read_or_refused(tmp_path, edits):
    """However a header is damaged, the answer is a volume or one line."""
    path = patch(save(tmp_path / "fuzz.nii", ramp()), *edits)
    try:
        volume = read_volume(path)
    except DeepspineError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    else:
        assert np.isfinite(volume.data).all()


# Writing discs


def grid_of(codes="RAS", scan="anisotropic"):
    """Grid of one of the scans in an orientation."""
    return Grid(*SCANS[scan].stored(ORIENTATIONS[codes]))


def test_written_file_is_what_sct_asks_for(tmp_path):
    """uint8, 3-D, qform equal to sform, millimetres, one voxel a value, on the given grid."""
    grid = grid_of("PIR", "oblique")
    voxels = {3: (4, 5, 6), 7: (20, 30, 3)}
    path = tmp_path / "discs.nii.gz"
    written = write_discs(path, grid, {v: grid.to_world(ijk) for v, ijk in voxels.items()})
    image = nib.load(path)
    data = np.asarray(image.dataobj)
    assert written == voxels
    assert data.dtype == np.uint8 and data.shape == grid.shape
    assert {int(v): tuple(np.argwhere(data == v)[0]) for v in data[data > 0]} == voxels
    assert np.count_nonzero(data) == 2
    assert image.header.get_slope_inter() in [(None, None), (1.0, 0.0)]
    assert image.header.get_xyzt_units()[0] == "mm"
    assert (image.header["sform_code"], image.header["qform_code"]) == (1, 1)
    np.testing.assert_allclose(image.get_sform(), grid.affine, atol=1e-5)
    np.testing.assert_allclose(image.get_qform(), grid.affine, atol=1e-3)
    np.testing.assert_allclose(image.header.get_zooms(), grid.zooms_mm, rtol=1e-6)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".NII.GZ"])
def test_written_points_are_read_back(tmp_path, suffix):
    """Writing and reading are inverse to half a voxel."""
    grid = grid_of("SRA", "oblique")
    points = {v: grid.to_world((10.3 + v, 2.6, 7.4)) for v in (2, 3, 11)}
    path = tmp_path / f"discs{suffix}"
    voxels = write_discs(path, grid, points)
    back = read_labels(path)
    assert list(back) == [2, 3, 11]
    for value, point_mm in back.items():
        offset = grid.to_index(points[value]) - grid.to_index(point_mm)
        assert np.abs(offset).max() <= 0.5
        np.testing.assert_allclose(grid.to_index(point_mm), voxels[value], atol=1e-4)


def test_same_input_gives_the_same_bytes(tmp_path):
    """Two runs write identical files, whatever their names."""
    grid = grid_of()
    for name in ("a.nii.gz", "b.nii.gz"):
        write_discs(tmp_path / name, grid, {3: grid.to_world((1, 2, 3))})
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


@pytest.mark.parametrize(("s_code", "q_code"), [(4, 1), (0, 2), (0, 0), (1, 5)])
def test_coordinate_system_of_the_input_is_kept(tmp_path, s_code, q_code):
    """The codes that say scanner, aligned or template space are those of the input image."""
    image = patch(save(tmp_path / "image.nii", ramp()), (252, int16(q_code, s_code)))
    grid = read_volume(image).grid
    write_discs(tmp_path / "d.nii", grid, {3: grid.to_world((1, 1, 1))}, like=image)
    written = nib.load(tmp_path / "d.nii")
    assert (written.header["sform_code"], written.header["qform_code"]) == (s_code, q_code)
    np.testing.assert_allclose(written.affine, nib.load(image).affine, atol=1e-5)


def test_another_grid_than_that_of_the_input_is_a_mistake(tmp_path):
    """A header may only be passed on where it is true."""
    image = save(tmp_path / "image.nii", ramp())
    grid = Grid((3, 4, 6), AFFINE)
    with pytest.raises(ValueError, match="another grid"):
        write_discs(tmp_path / "d.nii", grid, {3: grid.to_world((1, 1, 1))}, like=image)
    assert not (tmp_path / "d.nii").exists()


def test_sheared_grid_has_no_qform(tmp_path):
    """A quaternion cannot hold a shear, so the qform is switched off rather than wrong."""
    affine = AFFINE.copy()
    affine[0, 0] = 0.4
    grid = Grid((6, 7, 8), affine)
    write_discs(tmp_path / "d.nii", grid, {3: grid.to_world((1, 2, 3))})
    image = nib.load(tmp_path / "d.nii")
    assert (image.header["sform_code"], image.header["qform_code"]) == (1, 0)
    np.testing.assert_allclose(image.affine, affine, atol=1e-6)


@pytest.mark.parametrize(
    ("index", "voxel"),
    [(-0.49, 0), (-0.99, 0), (-1.01, None), (5.49, 5), (5.99, 5), (6.01, None), (np.nan, None)],
)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_points_at_the_border(tmp_path, axis, index, voxel):
    """A point up to half a voxel outside is moved in, one farther out is left out."""
    grid = Grid((6, 6, 6), AFFINE)
    ijk = np.array([2.0, 2.0, 2.0])
    ijk[axis] = index
    written = write_discs(tmp_path / "d.nii", grid, {3: grid.to_world((1, 1, 1)), 4: grid.to_world(ijk)})
    assert written.get(4, (None,) * 3)[axis] == voxel
    assert list(read_labels(tmp_path / "d.nii")) == list(written)


@pytest.mark.parametrize("points", [{}, {5: np.array([900.0, 0, 0])}], ids=["none", "outside"])
def test_no_disc_writes_no_file(tmp_path, points):
    """Without a disc on the grid there is no file, and the error says that it is not one."""
    with pytest.raises(NoDiscFound, match="no disc lies within"):
        write_discs(tmp_path / "d.nii", grid_of(), points)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_two_discs_never_share_a_voxel(tmp_path, codes):
    """The lower of two discs in one voxel moves to the voxel below it."""
    grid = grid_of(codes)
    middle_ijk = np.array(grid.shape) // 2
    middle_mm = grid.to_world(middle_ijk)
    voxels = write_discs(tmp_path / "d.nii", grid, {7: middle_mm + 0.1, 6: middle_mm})
    assert voxels[6] == tuple(middle_ijk)
    step_mm = grid.to_world(voxels[7]) - middle_mm
    np.testing.assert_allclose(step_mm, (0, 0, -SCANS["anisotropic"].zooms_xyz_mm[2]), atol=1e-9)


@pytest.mark.parametrize("values", [(3, 4, 5), (3, 4)])
def test_voxels_too_coarse_for_the_discs(tmp_path, values):
    """Three discs in a voxel, or two in the lowest one, are refused and not written apart."""
    grid = grid_of("RAS")
    k = 20 if len(values) == 3 else 0
    with pytest.raises(DeepspineError, match="too coarse to keep disc [45]"):
        write_discs(tmp_path / "d.nii", grid, dict.fromkeys(values, grid.to_world((4, 5, k))))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [0, 26, 50])
def test_only_discs_are_written(tmp_path, value):
    """A value that is no disc would break SCT's readers, so it is refused."""
    with pytest.raises(DeepspineError, match="not a disc value"):
        write_discs(tmp_path / "d.nii", grid_of(), {value: grid_of().to_world((1, 1, 1))})


def test_output_name_and_folder_are_checked(tmp_path):
    """An unknown extension or a missing folder is one line that names the target."""
    grid = grid_of()
    points = {3: grid.to_world((1, 2, 3))}
    with pytest.raises(DeepspineError, match="d.mgz: unknown file type"):
        write_discs(tmp_path / "d.mgz", grid, points)
    with pytest.raises(DeepspineError, match="its folder does not exist"):
        write_discs(tmp_path / "nowhere" / "d.nii", grid, points)
