"""Install torch, and say first what will be downloaded: ``python tools/install_torch.py [PIP ARGUMENTS]``.

On Linux a bare ``pip install torch`` brings several gigabytes of CUDA libraries, which nothing here needs. The authors
of torch keep builds for the CPU in an index of their own. It is used where it can be reached; where it cannot, pip
takes what the indexes of its own configuration have. The arguments are those of ``pip install``, for example
``torch==2.13.0``. Where torch is installed already, nothing is done.
"""

import json
import subprocess
import sys
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError
from urllib.parse import unquote, urlsplit

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PATIENCE_S = 5.0
"""An index that has not answered by then is taken to be out of reach: pip itself would ask for minutes."""

LARGE_MB = 1000
"""From here on it is said how to go without."""


def cpu_index_options() -> list[str]:
    """Return the options of pip that add the index of CPU builds, where it is of use and answers."""
    if sys.platform != "linux" or size_bytes(f"{CPU_INDEX}/torch/") is None:
        return []
    return ["--extra-index-url", CPU_INDEX]


def size_bytes(url: str) -> int | None:
    """Ask for the size of a file without getting it: 0 where it is not told, None where the file cannot be reached."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(unquote(parts.path)).stat().st_size
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PATIENCE_S) as answer:
            return int(answer.headers.get("Content-Length", 0))
    except (URLError, TimeoutError):
        return None


def plan(options: list[str]) -> list[dict]:
    """Ask pip what it would install: an empty list where pip is too old (before 22.2) or refuses to say."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--report", "-", *options]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return json.loads(asked.stdout)["install"]
    except json.JSONDecodeError:
        return []


def describe(packages: list[dict], sizes: list[int | None]) -> str:
    """Say in one paragraph what will be installed, and what that costs.

    Parameters
    ----------
    packages : list of dict
        The entries of pip's report.
    sizes : list of int or None
        Bytes of each package's file, None where that is not known.
    """
    if not packages:
        return "torch will be installed. This pip does not tell beforehand which files that takes."
    megabytes = sum(size or 0 for size in sizes) / 1e6
    version = next((one["metadata"]["version"] for one in packages if one["metadata"]["name"] == "torch"), "")
    cuda = any(one["metadata"]["name"].startswith("nvidia") for one in packages)
    text = f"torch {version} for the {'GPU' if cuda else 'CPU'}: {len(packages)} packages, {megabytes:,.0f} MB to get."
    if None in sizes:
        text += f" The size of {sizes.count(None)} of them is not known."
    if megabytes > LARGE_MB:
        text += (
            "\nA smaller build for the CPU was not found. To stop, press Ctrl-C; to label scans torch is not needed"
            " (`make demo`). To choose another build: make TORCH='torch==VERSION' or pip's own configuration."
        )
    return text


def main(arguments: list[str]) -> int:
    """Install torch as the arguments of pip say, and return pip's exit status."""
    if find_spec("torch"):
        return 0
    options = [*cpu_index_options(), *arguments]
    packages = plan(options)
    print(describe(packages, [size_bytes(one["download_info"]["url"]) for one in packages]), flush=True)
    return subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *options], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["torch"]))
