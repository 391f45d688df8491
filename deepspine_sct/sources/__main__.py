"""Lay out the training sources: ``python -m deepspine_sct.sources -ofolder real -pam50 SCT -icbm152 FOLDER ...``.

Give the archives that you have, unpacked; the others can follow later. Simulated spines need PAM50 and ICBM 152, the
real slices spine-generic, the real lower spines SPIDER. Nothing is downloaded.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from deepspine_sct.errors import DeepspineError
from deepspine_sct.sources import icbm152, pam50, spider, spine_generic

ARCHIVES = {
    "pam50": (pam50.lay_out, "pam50", "folder of SCT, with data/PAM50/template, or of the template"),
    "icbm152": (icbm152.lay_out, "head", "folder of one release, such as mni_icbm152_nlin_sym_09a"),
    "spine_generic": (spine_generic.lay_out, "slices", "the multi-subject data set in BIDS, with derivatives/labels"),
    "spider": (spider.lay_out, "lumbar", "folder with the images/ and masks/ of SPIDER"),
}
"""Option -> what lays the archive out, the folder that it makes, and what to give."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="deepspine_sct.sources", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-ofolder", type=Path, required=True, metavar="<folder>", help="folder of the sources")
    for name, (_, _, what) in ARCHIVES.items():
        parser.add_argument(f"-{name.replace('_', '-')}", dest=name, type=Path, metavar="<folder>", help=what)
    args = parser.parse_args(argv)
    given = {name: getattr(args, name) for name in ARCHIVES if getattr(args, name)}
    if not given:
        parser.error("give at least one archive")
    try:
        for name, archive in given.items():
            lay_out, made, _ = ARCHIVES[name]
            print(f"{args.ofolder / made}: {lay_out(archive, args.ofolder)} from {archive}")
    except (DeepspineError, OSError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 1
    missing = [made for _, made, _ in ARCHIVES.values() if not (args.ofolder / made).is_dir()]
    print(f"Still missing: {', '.join(missing)}" if missing else "All sources are there: make train")
    return 0


if __name__ == "__main__":
    sys.exit(main())
