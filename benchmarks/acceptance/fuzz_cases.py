"""The inputs of `make fuzz`: each kind turns one good scan into another way to go wrong, or to be right."""

import gzip
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import nibabel as nib
import numpy as np

from benchmarks.acceptance.fuzz_base import Base
from benchmarks.acceptance.fuzz_labels import right_labels, wrong_labels
from benchmarks.acceptance.fuzz_surroundings import litter, surroundings
from deepspine_sct.image.volume import reorient

DTYPES = ("u1", "i1", "<i2", ">i2", "u2", "i4", "u4", "f4", ">f4", "f8", "i8", "u8")
NAMES = ("my scan.nii", "-t2.nii.gz", "t2'\"$x$.nii", "größe_脊椎.nii.gz", "a\nb.nii", "%s;rm *.NII",
         "t2\udcff.nii.gz", "n" * 225 + ".nii.gz", ".nii", "<b>t2&.nii")  # fmt: skip
EXTREMES = (0, 1, -1, 2, 3, 127, 255, -32768, 32767, 2**31 - 1, np.nan, np.inf, -np.inf, 1e-38, 1e-7,
            1e7, 3e38, -3e38)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One call of the command.

    Attributes
    ----------
    arguments : list of str
        Of the command, which runs in the folder of the case.
    image : Path or None
        Image, where its output can be compared with it.
    same_discs : bool
        Whether the discs of `Base.points` must come out.
    must_refuse : str
        What makes an answer wrong; "" where an answer may be right.
    report : Path or None
        Report folder that must show the scan.
    variables, redirection : dict of str to str, str or None
        Environment and streams of a process of its own; None where the case needs none.
    """

    arguments: list[str]
    image: Path | None = None
    same_discs: bool = False
    must_refuse: str = ""
    report: Path | None = None
    variables: dict[str, str] = field(default_factory=dict)
    redirection: str | None = None


def make_case(seed: int, number: int, base: Base, folder: Path) -> tuple[str, Case]:
    """Write the files of a case into an empty folder; the same seed and number give the same bytes."""
    rng = np.random.default_rng([seed, number])
    kinds, shares = zip(*KINDS.values(), strict=True)
    index = rng.choice(len(kinds), p=np.array(shares) / sum(shares))
    case = kinds[index](rng, base, folder)
    extra = ["-json", "report.json"] if rng.random() < 0.5 else []
    if rng.random() < 0.04 and "-qc" not in case.arguments and "-overlay" not in case.arguments:
        extra += ["-overlay", "picture.png", "-qc", "qc"]
    arguments = [*case.arguments, *extra]
    if "-c" not in arguments:
        arguments += ["-c", "t2"]
    return list(KINDS)[index], replace(case, arguments=arguments)


def _encode(data: np.ndarray, affine: np.ndarray, rng=None) -> bytearray:
    """File of an array; with a generator, of a random version and byte order."""
    kind, order = nib.Nifti1Image, "<"
    if rng is not None:
        kind = (nib.Nifti1Image, nib.Nifti2Image)[rng.integers(2)]
        order = "<>"[rng.integers(2)]
    header = kind.header_class(endianness=order)
    header.set_data_dtype(data.dtype)
    return bytearray(kind(data, affine, header).to_bytes())


def _good_bytes(base: Base, rng=None) -> bytearray:
    return _encode(base.volume.data, base.volume.grid.affine, rng)


def _write(path: Path, content: bytes) -> Path:
    """Write a file, compressed where its name says so."""
    compressed = path.name.lower().endswith(".gz")
    path.write_bytes(gzip.compress(bytes(content), 1, mtime=0) if compressed else bytes(content))
    return path


def _of(path: Path, same_discs: bool = False) -> Case:
    # A leading dash would be an option.
    return Case(["-i", f"./{path.name}", "-ofolder", "out"], path, same_discs)


def _suffix(rng) -> str:
    return (".nii", ".nii.gz")[rng.integers(2)]


def good_variant(rng, base: Base, folder: Path) -> Case:
    """The same scan in another version, byte order, type, scaling, orientation and geometry code."""
    codes = np.array(["LR", "PA", "IS"])[rng.permutation(3)]
    volume = reorient(base.volume, tuple(pair[rng.integers(2)] for pair in codes))
    dtype = np.dtype(DTYPES[rng.integers(len(DTYPES))])
    data = volume.data
    if dtype.itemsize == 1:
        data = np.rint(data / data.max() * 120)
    kind = (nib.Nifti1Image, nib.Nifti2Image)[rng.integers(2)]
    header = kind.header_class(endianness="<>"[rng.integers(2)])
    header.set_data_dtype(dtype)
    header.set_slope_inter(*((None, None), (0.5, 0), (2.0, -7.0))[rng.integers(3)])
    image = kind(np.ascontiguousarray(data.astype(dtype)), None, header)
    forms = [(1, 1), (2, 0), (0, 1), (4, 1)][rng.integers(4)]
    image.set_sform(volume.grid.affine if forms[0] else None, forms[0])
    contradicts = forms == (1, 1) and rng.random() < 0.3  # then the sform counts, and a warning is due
    image.set_qform(volume.grid.affine @ np.diag([1, -1, 1, 1] if contradicts else [1] * 4), forms[1])
    path = folder / ("scan", NAMES[rng.integers(len(NAMES))].split(".nii")[0])[rng.random() < 0.2]
    path = folder / (path.name + _suffix(rng))
    return _of(_write(path, image.to_bytes()), same_discs=True)


def header_bytes(rng, base: Base, folder: Path) -> Case:
    """Random bytes anywhere in the header."""
    content = _good_bytes(base, rng)
    for _ in range(rng.integers(1, 6)):
        start, n = rng.integers(0, 540), rng.integers(1, 9)
        content[start : start + n] = rng.bytes(n)
    return _of(_write(folder / f"scan{_suffix(rng)}", content))


def real_header(rng, base: Base, folder: Path) -> Case:
    """Random bytes in a header as a scanner's converter wrote it, before real voxels."""
    content = bytearray(base.files[rng.integers(len(base.files))])
    for _ in range(rng.integers(1, 6)):
        start, n = rng.integers(0, 352), rng.integers(1, 5)
        content[start : start + n] = rng.bytes(n)
    return _of(_write(folder / f"scan{_suffix(rng)}", content))


def header_fields(rng, base: Base, folder: Path) -> Case:
    """Extreme values in the fields that have a meaning."""
    content = _good_bytes(base, rng)
    kind = nib.Nifti1Header if content[:4] in (b"\x5c\x01\0\0", b"\0\0\x01\x5c") else nib.Nifti2Header
    header = kind(bytes(content[: kind.sizeof_hdr]), check=False)
    fields = [name for name in header if header[name].dtype.kind in "iuf"]
    for _ in range(rng.integers(1, 5)):
        name = fields[rng.integers(len(fields))]
        with np.errstate(all="ignore"):
            value = np.array(EXTREMES[rng.integers(len(EXTREMES))])
            if header[name].dtype.kind in "iu":
                value = np.nan_to_num(value).clip(-(2**15), 2**15 - 1)
            field = np.array(header[name])
            field.reshape(-1)[rng.integers(field.size)] = value.astype(field.dtype)
        header[name] = field
    content[: kind.sizeof_hdr] = header.binaryblock
    return _of(_write(folder / f"scan{_suffix(rng)}", content))


def odd_content(rng, base: Base, folder: Path) -> Case:
    """What is no scan, or one with few voxels, odd values or too many dimensions."""
    data, affine = base.volume.data, base.volume.grid.affine
    rgb = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    holes = np.where(rng.random(data.shape) < 0.3, (np.nan, np.inf)[rng.integers(2)], data)
    choices = [
        np.zeros_like(data), np.full_like(data, 7), np.full(data.shape, np.nan, np.float32),
        np.full(data.shape, -np.inf), holes.astype(np.float32), data.astype(np.complex64),
        np.zeros(data.shape, rgb), data[:1], data[:, :1], data[:, :, :1], data[2], data[2, :, 5],
        data[..., None], data[..., None, None], np.stack([data, data], -1), data * np.float64(1e300),
        data * np.float32(1e-38), rng.normal(size=data.shape), (data > 300).astype(np.uint8),
        np.where(data == data.max(), np.float32(3e38), data), rng.integers(0, 2, (2, 2, 2)).astype("i2"),
        np.repeat(np.repeat(data, 3, 1), 3, 2), -data,
    ]  # fmt: skip
    content = _encode(choices[rng.integers(len(choices))], affine)
    return _of(_write(folder / f"scan{_suffix(rng)}", content))


def damaged_file(rng, base: Base, folder: Path) -> Case:
    """Cut, lengthened, patched, compressed twice or not at all, a pair, under a wrong name."""
    suffix = _suffix(rng)
    path = _write(folder / f"scan{suffix}", _good_bytes(base, rng))
    content = bytearray(path.read_bytes())
    low, high = sorted(rng.integers(0, len(content), 2))
    how = rng.integers(9)
    if how == 0:
        content = content[:high]
    elif how == 1:
        content += rng.bytes(int(rng.integers(1, 4000)))
    elif how == 2:
        del content[low : low + int(rng.integers(1, 64))]
    elif how == 3:
        content[low:low] = content[low:high]
    elif how == 4:
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            content[place] ^= 1 << rng.integers(8)
    elif how == 5:
        content = bytearray(gzip.compress(bytes(content)))
    elif how == 6:
        content[344:348] = b"ni1\0"
    elif how == 7:
        path.unlink()
        path = folder / ("scan.img", "scan.hdr", "scan.nii.bz2", "scan", "scan.mgz", "scan.nii.GZ")[rng.integers(6)]
    else:
        content = content + content  # two members, or a trailing copy
    path.write_bytes(content)
    return _of(path)


def bomb(rng, base: Base, folder: Path) -> Case:
    """A header that declares far more than there is, or a stream that grows a thousandfold."""
    content = _good_bytes(base)
    if rng.random() < 0.9:
        sides = rng.integers(200, 32767, 3)
        content[42:48] = sides.astype("<i2").tobytes()
        content[70:74] = np.array([(2, 8), (4, 16), (64, 64)][rng.integers(3)], "<i2").tobytes()
        content += bytes(int(rng.integers(0, 3_000_000)))
        return _of(_write(folder / "scan.nii.gz", content))
    content[42:48] = np.array([800, 800, 800], "<i2").tobytes()
    content[70:74] = np.array([2, 8], "<i2").tobytes()
    path = folder / "scan.nii.gz"
    million = gzip.compress(bytes(10**6), mtime=0)  # in members of their own: quick to make
    path.write_bytes(gzip.compress(bytes(content[:352]), mtime=0) + 512 * million)
    return _of(path)


def odd_file(rng, base: Base, folder: Path) -> Case:
    """Folders, pipes, sockets, devices, links that lead nowhere, pointers, unreadable and empty files."""
    path = folder / f"scan{_suffix(rng)}"
    how = rng.integers(11)
    if how == 0:
        path.mkdir()
    elif how == 1:
        os.mkfifo(path)
    elif how == 2:
        path.symlink_to(path.name)
    elif how == 3:
        path.symlink_to("../.git/annex/objects/Xx/scan.nii.gz")
    elif how == 4:
        path.write_text("/annex/objects/MD5E-s1--ab.nii.gz\n")
    elif how == 5:
        path.symlink_to(("/dev/zero", "/dev/full", "/proc/self/mem", "/dev/tty")[rng.integers(4)])
    elif how == 6:
        path.touch()
    elif how == 7:
        path.write_bytes(rng.bytes(int(rng.integers(1, 5000))))
    elif how == 8:
        with socket.socket(socket.AF_UNIX) as server:
            here = os.getcwd()
            os.chdir(folder)  # a socket's path is short
            server.bind(path.name)
            os.chdir(here)
    elif how == 9:
        return Case(["-i", "x" * 300 + ".nii", "-ofolder", "out"])
    return _of(path)


def odd_request(rng, base: Base, folder: Path) -> Case:
    """A good scan with starts, models, options and outputs that are damaged or contradictory."""
    path = _write(folder / "scan.nii", _good_bytes(base))
    labels = np.zeros(base.volume.data.shape, np.float32)
    for value in rng.integers(-3, 70, 3):
        labels[tuple(rng.integers(0, n) for n in labels.shape)] = value
    start = _write(folder / "start.nii", _encode(labels, base.volume.grid.affine))
    damaged = bytearray(start.read_bytes())
    damaged[rng.integers(0, 352)] = rng.integers(256)
    _write(folder / "damaged.nii.gz", damaged)
    _write(folder / "cord.nii", damaged)
    (folder / "model.safetensors").write_bytes(
        (rng.bytes(200), b"\xff" * 8 + b"{}", b"\x02" + bytes(7) + b"{}", b"\x80\x04.")[rng.integers(4)]
    )
    (folder / "model.onnx").write_bytes(rng.bytes(200))
    request = [
        ["-initlabel", "start.nii"], ["-initlabel", "damaged.nii.gz"], ["-initlabel", "no.nii"],
        ["-initz", f"{rng.integers(0, 60)},{rng.integers(0, 30)}"], ["-thr", f"{rng.normal():.2f}"],
        ["-discs", f"{rng.integers(0, 28)}:{rng.integers(0, 28)}"], ["-model", "model.safetensors"],
        ["-model", "model.onnx"], ["-model", "no.safetensors"], ["-model", "scan.nii"],
        ["-o", "scan.nii"], ["-o", "out.mgz"], ["-o", "no/out.nii"], ["-json", "scan.nii"],
        ["-overlay", "x.jpg"], ["-json", "/dev/full"], ["-initz", "\u0663,3"], ["-c", "ct"],
        ["-qc", "scan.nii"], ["-nonsense"], ["-o", "start.nii", "-initlabel", "start.nii"],
        ["-s", "start.nii"], ["-s", "cord.nii"], ["-s", "no.nii"], ["-straighten", "2"], ["-straighten", "3"],
        ["-attention", "where.nii"], ["-heatmaps", "scan.nii"], ["-heatmaps", "no/what.nii.gz"],
    ]  # fmt: skip
    chosen = request[rng.integers(len(request))]
    where = [] if "-o" in chosen else ["-ofolder", "out"]
    return Case(["-i", path.name, *where, *chosen], path)


def right_start(rng, base: Base, folder: Path) -> Case:
    """A good scan with a label file that says right, in any of its forms."""
    path = _write(folder / "scan.nii", _good_bytes(base))
    right_labels(rng, base, folder / "start.nii.gz")
    return Case(["-i", path.name, "-ofolder", "out", "-initlabel", "start.nii.gz"], path, same_discs=True)


def wrong_start(rng, base: Base, folder: Path) -> Case:
    """A good scan with what is no label file of it."""
    path = _write(folder / "scan.nii", _good_bytes(base))
    what = wrong_labels(rng, base, folder / "start.nii.gz")
    return Case(["-i", path.name, "-ofolder", "out", "-initlabel", "start.nii.gz"], path, must_refuse=what)


def report_folder(rng, base: Base, folder: Path) -> Case:
    """A good scan for a report folder in which others have left all kinds of things."""
    path = _write(folder / "scan.nii", _good_bytes(base))
    litter(rng, folder / "report")
    return Case(["-i", path.name, "-ofolder", "out", "-qc", "report"], path, same_discs=True, report=folder / "report")


def environment(rng, base: Base, folder: Path) -> Case:
    """A good scan in an odd environment, with pictures, in a process of its own."""
    path = _write(folder / rng.choice(("scan.nii", "größe_脊椎.nii.gz", "t2'$x$.nii")), _good_bytes(base))
    variables, redirection = surroundings(rng, folder)
    return Case(["-i", path.name, "-ofolder", "out", "-overlay", "picture.png"], path, same_discs=True,
                variables=variables, redirection=redirection)  # fmt: skip


KINDS: dict[str, tuple[Callable[..., Case], float]] = {
    "good, every variant": (good_variant, 0.15),
    "random bytes in the header": (header_bytes, 0.17),
    "random bytes, real scans": (real_header, 0.1),
    "extreme header fields": (header_fields, 0.2),
    "odd content": (odd_content, 0.1),
    "damaged file": (damaged_file, 0.13),
    "declared too large, bombs": (bomb, 0.03),
    "no regular file": (odd_file, 0.05),
    "odd requests": (odd_request, 0.07),
    "label files": (right_start, 0.06),
    "no label files": (wrong_start, 0.08),
    "report folders": (report_folder, 0.03),
    "environments": (environment, 0.03),
}
"""Name of each kind, its maker and its share."""
