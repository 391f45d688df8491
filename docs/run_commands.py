"""Run the shell blocks of a Markdown file: ``python docs/run_commands.py FILE FOLDER [-update] [-needs COMMAND]``.

The commands of the checkout and this Python go before all others on the PATH; FOLDER, which is made
anew, is the current folder of all of them, and $CHECKOUT that of the project. The first one that fails
ends the run. Where the PATH lacks the command that -needs names, nothing is run.

With -update, what a block printed goes into the text block that follows it, and each picture
``images/<name of FILE>_<path>``, with _ for /, is replaced by the file of that path in FOLDER.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 24  # lines of output to show; of more, the middle is left out

_BLOCK = re.compile(
    r"^```sh\n(?P<commands>.*?)^```$(?:\n\n```text\n(?P<shown>.*?)^```$)?",
    flags=re.MULTILINE | re.DOTALL,
)


def run_blocks(text: str, folder: Path) -> str:
    """Run every ``sh`` block in order; return the text with what the blocks printed.

    Raises
    ------
    subprocess.CalledProcessError
        Where a command fails.
    """

    def run(block: re.Match) -> str:
        output = shorten(_run(block["commands"], folder))
        if block["shown"] is None:
            return block[0]
        start, end = (at - block.start() for at in block.span("shown"))
        return block[0][:start] + output + block[0][end:]

    return _BLOCK.sub(run, text)


def _run(commands: str, folder: Path) -> str:
    """Run a block, and show and return what it prints."""
    path = os.pathsep.join([str(ROOT / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1", "CHECKOUT": str(ROOT)}
    print("$ " + commands.rstrip().replace("\n", "\n$ "), flush=True)
    started_s = time.perf_counter()
    lines = []
    with subprocess.Popen(
        ["bash", "-euc", commands], cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, commands)
    print(f"[{time.perf_counter() - started_s:.0f} s]\n", flush=True)
    return "".join(lines)


def shorten(output: str) -> str:
    """Leave out the middle of a long output."""
    lines = output.splitlines(keepends=True)
    if len(lines) <= LONGEST:
        return output
    return "".join([*lines[: LONGEST // 2], "...\n", *lines[1 - LONGEST // 2 :]])


def renew_pictures(source: Path, folder: Path) -> None:
    """Copy the files of a folder over the pictures of a document that are named after them."""
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = f"{source.stem}_{'_'.join(file.relative_to(folder).parts)}"
        picture = source.parent / "images" / name
        if picture.exists():
            shutil.copyfile(file, picture)


def main() -> None:
    """Run a file's blocks in a fresh folder and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-update", action="store_true")
    parser.add_argument("-needs", metavar="COMMAND")
    args = parser.parse_args()
    if args.needs and not shutil.which(args.needs):
        print(f"Skipped: {args.needs} is not on the PATH, and {args.file} needs it")
        return
    shutil.rmtree(args.folder, ignore_errors=True)
    args.folder.mkdir(parents=True)
    started_s = time.perf_counter()
    try:
        text = run_blocks(args.file.read_text(), args.folder.resolve())
    except subprocess.CalledProcessError as error:
        sys.exit(f"{args.file}: a command failed with status {error.returncode}")
    seconds = time.perf_counter() - started_s
    print(f"Every command of {args.file} ran: {seconds / 60:.1f} minutes")
    if args.update:
        args.file.write_text(text)
        renew_pictures(args.file, args.folder)


if __name__ == "__main__":
    main()
