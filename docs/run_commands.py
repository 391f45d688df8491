"""Run the shell blocks of a Markdown file: ``python docs/run_commands.py FILE FOLDER``.

The commands of the checkout and this Python go before all others on the PATH; FOLDER, which is made
anew, is the current folder of all of them. The first one that fails ends the run.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run_blocks(text: str, folder: Path) -> float:
    """Run every ``sh`` block in order; return the seconds it took.

    Raises
    ------
    subprocess.CalledProcessError
        Where a command fails.
    """
    path = os.pathsep.join(
        [str(ROOT / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    )
    environment = os.environ | {"PATH": path}
    started_s = time.perf_counter()
    for block in re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
        print("$ " + block.rstrip().replace("\n", "\n$ "), flush=True)
        before_s = time.perf_counter()
        subprocess.run(["bash", "-euc", block], cwd=folder, env=environment, check=True)
        print(f"[{time.perf_counter() - before_s:.0f} s]\n", flush=True)
    return time.perf_counter() - started_s


def main() -> None:
    """Run a file's blocks in a fresh folder and say how long it took."""
    source, folder = map(Path, sys.argv[1:3])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    seconds = run_blocks(source.read_text(), folder.resolve())
    print(f"Every command of {source} ran: {seconds / 60:.1f} minutes")


if __name__ == "__main__":
    main()
