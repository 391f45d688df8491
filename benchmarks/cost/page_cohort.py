"""A cohort of 100 scans on the page: ``python -m benchmarks.cost.page_cohort`` builds it, labels it and times the page.

Real development scans and the simulated ones of ``data_test``, each in several windows; ten broken, and ten of which
the names are moved by one level on purpose after labelling, in the way in which a label goes wrong unseen. Prints the
summary of the run, where the ten stand in the order of the page, and in a headless Chromium the times of loading,
filtering and moving on with 2,000 entries. Writes pictures of the page, which show real images and stay out of the
project. Takes about five minutes on two cores.
"""

import argparse
import json
import shutil
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np

from benchmarks.sources import DATA_TEST, REAL, ROOT

sys.path.insert(0, str(ROOT / "tests"))
from browser import Browser

from benchmarks.cost.cohort_run import fresh
from deepspine_sct.anatomy import disc_name
from deepspine_sct.cli import batch
from deepspine_sct.image.grid import CANONICAL
from deepspine_sct.image.nifti import read_volume, write_volume
from deepspine_sct.image.volume import crop, reorient
from deepspine_sct.quality_control.about import About
from deepspine_sct.quality_control.page_folder import read_entries, write_page

N_GOOD, N_OFF, N_MANY = 90, 10, 2000
WINDOWS = (None, (0.0, 0.7), (0.3, 1.0))
"""Shares of the height that a view shows; None shows the file as it is."""


def main() -> None:
    """Build, label, disturb, show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-ofolder", type=Path, default=Path("page_out"))
    folder = fresh(parser.parse_args().ofolder).absolute()
    data, out = folder / "data", folder / "out"
    write_scans(data)
    spoil(data)
    batch.main([str(data), str(out), "participant", "--qc", "--timeout", "120"])
    off = move_names(out)
    said = StringIO()
    with redirect_stdout(said):
        batch.main([str(data), str(out), "group"])
    print(said.getvalue())
    show(out, off, folder)
    time_many(out, folder)


def write_scans(data: Path) -> None:
    """Write the good scans under BIDS names, in as many windows as are needed."""
    files = [
        *sorted((REAL / "lumbar").glob("*_T2w.nii.gz")),
        *sorted((REAL / "slices").glob("*_T1w.nii*"))[:14],
        *sorted((REAL / "slices").glob("*_T2w.nii*"))[:8],
        *(REAL / "volumes" / f"t1_sg_{n}.nii.gz" for n in range(1, 5)),
        REAL / "volumes" / "t2_lumbar.nii.gz",
        *(DATA_TEST / f"{name}_sim.nii.gz" for name in ("t1", "t2", "t2_lumbar")),
    ]
    views = [(file, window) for window in WINDOWS for file in files][:N_GOOD]
    for n, (file, window) in enumerate(views):
        suffix = "T1w" if "t1" in file.name.lower() else "T2w"
        name = f"sub-{n % len(files):03d}_ses-{n // len(files)}_{suffix}.nii.gz"
        target = data / name.partition("_")[0] / f"ses-{n // len(files)}" / "anat" / name
        target.parent.mkdir(parents=True)
        if window is None:
            shutil.copyfile(file, target)
            continue
        upright = reorient(read_volume(file), CANONICAL)
        n_slices, n_rows, n_columns = upright.data.shape
        low, high = (int(share * n_rows) for share in window)
        view = crop(upright, (0, low, 0), (n_slices, high, n_columns))
        write_volume(target, replace(view, data=np.ascontiguousarray(view.data)), like=file)


def spoil(data: Path) -> None:
    """Add ten scans that cannot be labelled, or must not be."""
    whole = (DATA_TEST / "t2_sim.nii.gz").read_bytes()
    noise = np.random.default_rng(0).normal(100, 10, (20, 120, 120)).astype(np.float32)
    like = read_volume(DATA_TEST / "t2_sim.nii.gz")
    for n in range(10):
        path = data / f"sub-bad{n}" / "anat" / f"sub-bad{n}_T2w.nii.gz"
        path.parent.mkdir(parents=True)
        if n < 4:
            path.write_bytes(whole[: 1000 + 9000 * n])
        elif n < 6:
            path.write_bytes(b"no image" * 1000)
        elif n == 6:
            path.symlink_to("../../.git/annex/objects/gone")
        elif n == 7:
            shutil.copyfile(REAL / "volumes" / "t2_axial_ms.nii.gz", path)
        else:
            write_volume(path, replace(like, data=noise, grid=replace(like.grid, shape=noise.shape)))


def move_names(out: Path) -> list[str]:
    """Move all names of ten labelled scans by one level, without touching their confidence."""
    reports = sorted(out.rglob("*_report.json"))
    chosen = [report for report in reports if json.loads(report.read_text())["discs"][-1]["value"] < 25][::6][:N_OFF]
    for path in chosen:
        report = json.loads(path.read_text())
        for disc in report["discs"]:
            disc |= {"value": disc["value"] + 1, "name": disc_name(disc["value"] + 1)}
        path.write_text(json.dumps(report))
    return [path.name.partition("_label-")[0] for path in chosen]


def show(out: Path, off: list[str], folder: Path) -> None:
    """Say where the scans with moved names stand, and take pictures of the page at two sizes."""
    for size in ((1280, 800), (1920, 1080)):
        with Browser(out / "deepspine.html", folder, size) as page:
            stems = page.value("shown.map((scan) => fileName(scan).split('.')[0])")
            if size[0] == 1280:
                places = sorted(stems.index(stem) + 1 for stem in off)
                print(f"names moved by one level: places {places} of {len(stems)}")
            page.screenshot(folder / f"wall_{size[0]}.png")
            page.value("openViewer(shown.find((scan) => scan.discs.length > 7))")
            page.wait_until(lambda page=page: page.value("document.readyState === 'complete'"))
            page.press("f")
            page.screenshot(folder / f"viewer_{size[0]}.png")
            page.value("closeViewer(); showTab('cohort')")
            page.screenshot(folder / f"plots_{size[0]}.png")
            assert page.errors == [], page.errors


def time_many(out: Path, folder: Path) -> None:
    """Time a page of 2,000 entries, which share the pictures of the hundred."""
    target = fresh(folder / "many")
    known = [entry for entry in read_entries(out) if entry.discs]
    entries = []
    (target / "deepspine").mkdir()
    for n in range(N_MANY):
        entry = known[n % len(known)]
        link = target / "deepspine" / f"k{n}"
        link.symlink_to(out / "deepspine" / entry.key)
        entries.append(replace(entry, key=link.name, subject=f"sub-{n:04d}", image=f"/data/sub-{n:04d}_T2w.nii.gz"))
    page_file = write_page(target, entries, About("2,000 scans"))
    print(f"page of {N_MANY} scans: {page_file.stat().st_size / 1e6:.1f} MB")
    with Browser(page_file, folder, (1920, 1080)) as page:
        load_ms = page.value("performance.getEntriesByType('navigation')[0].loadEventEnd")
        print(f"load: {load_ms:.0f} ms")
        times = page.value(
            "(() => { const times = {}; const time = (name, deed) => { const start = performance.now(); deed();"
            "document.body.getBoundingClientRect(); times[name] = Math.round(performance.now() - start); };"
            "time('filter', () => { byId('search').value = 'sub-19'; refreshWall(); });"
            "time('all again', () => { byId('search').value = ''; refreshWall(); });"
            "time('scroll by 30,000 px', () => { wall.scrollTop = 30000; drawInSight(); });"
            "time('open', () => openViewer(shown[700]));"
            "time('next', () => goTo(neighbour(1)));"
            "time('correct', () => shiftNames(selected, -1));"
            "time('plots', () => showTab('cohort'));"
            "return times; })()"
        )
        print(", ".join(f"{name} {ms} ms" for name, ms in times.items()))
        assert page.errors == [], page.errors


if __name__ == "__main__":
    main()
