"""What it takes a BIDS library to list 4000 images; needs nothing but that library.

python -m venv libraries && libraries/bin/pip install pybids
libraries/bin/python -m benchmarks.decisions.cohort_libraries pybids
"""

import argparse
import json
import os
import resource
import tempfile
import time
from importlib import import_module
from pathlib import Path

N_SUBJECTS = 1000
SUFFIXES = ["T1w", "T2w"]


def write_tree(root: Path) -> None:
    """Write subjects of two sessions with a T1w and a T2w image each, and their sidecars."""
    (root / "dataset_description.json").write_text(json.dumps({"Name": "tree", "BIDSVersion": "1.9.0"}))
    for number in range(N_SUBJECTS):
        for session in ("01", "02"):
            folder = root / f"sub-{number:05d}" / f"ses-{session}" / "anat"
            folder.mkdir(parents=True)
            for suffix in SUFFIXES:
                stem = f"sub-{number:05d}_ses-{session}_acq-sag_run-1_{suffix}"
                (folder / f"{stem}.nii.gz").write_bytes(b"x")
                (folder / f"{stem}.json").write_text("{}")


def by_pybids(bids, root: Path) -> list:
    """List images with pybids, which reads every file's name into a database."""
    return bids.BIDSLayout(root, validate=False).get(suffix=SUFFIXES, extension=".nii.gz")


def by_ancpbids(ancpbids, root: Path) -> list:
    """List images with ancpbids."""
    return ancpbids.BIDSLayout(str(root)).get(suffix=SUFFIXES, extension=".nii.gz", return_type="filename")


def by_bids2table(bids2table, root: Path) -> list:
    """List images with bids2table, which makes an Arrow table of all files."""
    rows = bids2table.index_dataset(root).to_pylist()
    return [row for row in rows if row["suffix"] in SUFFIXES and row["ext"] == ".nii.gz"]


def by_bids_validator(bids_validator, root: Path) -> list:
    """List images by walking through the folders and asking bids-validator about each name."""
    paths = (os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names)
    names = (path.removeprefix(str(root)) for path in paths if path.endswith(".nii.gz"))
    return [name for name in names if bids_validator.BIDSValidator.parse(name)]


LIBRARIES = {
    "pybids": ("bids", by_pybids),
    "ancpbids": ("ancpbids", by_ancpbids),
    "bids2table": ("bids2table", by_bids2table),
    "bids-validator": ("bids_validator", by_bids_validator),
}


def main() -> None:
    """Time the import and the listing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library", choices=LIBRARIES, help="which one")
    name, list_images = LIBRARIES[parser.parse_args().library]
    with tempfile.TemporaryDirectory() as folder:
        write_tree(Path(folder))
        started_s = time.perf_counter()
        library = import_module(name)
        imported_s = time.perf_counter()
        n = len(list_images(library, Path(folder)))
        listed_s = time.perf_counter()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{n} images: import {imported_s - started_s:.2f} s, listing {listed_s - imported_s:.1f} s, {peak_mb:.0f} MB")


if __name__ == "__main__":
    main()
