"""The mean of two networks' weights: ``python -m deepspine_sct.training.average FIRST SECOND SHARE OUT.safetensors``.

Where one training went on from the other, their weights lie so near to each other that the mean of them is a network as
good as either ("model soups", Wortsman et al. 2022).
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from deepspine_sct.errors import DeepspineError
from deepspine_sct.files.outputs import check_ending, check_files, make_folders
from deepspine_sct.model.checkpoint import checksum, load_checkpoint, save_checkpoint
from deepspine_sct.model.export import exit_status


def average(first: Path, second: Path, share: float, target: Path) -> None:
    """Write the mean of two checkpoints of one architecture.

    Parameters
    ----------
    first, second : checkpoints; the description is that of the second one, with what it is the mean of
    share : of the second one, between 0 and 1
    target : checkpoint to write

    Raises
    ------
    DeepspineError
        When a checkpoint cannot be read, the two have other architectures, or the share is none.
    """
    if not 0 < share < 1:
        raise DeepspineError(f"{share:g} is not a share between 0 and 1")
    check_ending(target, ".safetensors", "a checkpoint")
    check_files([target], [first, second])
    one, known = load_checkpoint(first)
    network, description = load_checkpoint(second)
    if one.config != network.config:
        raise DeepspineError(f"{second}: has another architecture than {first}; give two checkpoints of one training")
    theirs = one.state_dict()
    network.load_state_dict(
        {name: (1 - share) * theirs[name] + share * own if own.is_floating_point() else own
         for name, own in network.state_dict().items()}
    )  # fmt: skip
    training = description.get("training", {}) | {
        "mean_of": {checksum(first): 1 - share, checksum(second): share},
        "never_seen": sorted(set(_unseen(known)) & set(_unseen(description))),
    }
    make_folders([target])
    save_checkpoint(target, network, description | {"training": training})


def _unseen(description: dict) -> list[str]:
    return description.get("training", {}).get("never_seen", [])  # who does not say so may have seen them


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(prog="deepspine_sct.training.average", description=__doc__.splitlines()[0])
    parser.add_argument("first", type=Path, help="checkpoint (.safetensors)")
    parser.add_argument("second", type=Path, help="another one of the same architecture")
    parser.add_argument("share", type=float, help="share of the second one in the mean, between 0 and 1")
    parser.add_argument("target", type=Path, help="checkpoint to write (.safetensors)")
    args = parser.parse_args(argv)
    return exit_status("average", partial(average, args.first, args.second, args.share, args.target))


if __name__ == "__main__":
    sys.exit(main())
