"""A network in one file: safetensors weights with a JSON description in the header. Nothing is unpickled.

The description holds the architecture (``HourglassConfig``), the preprocessing (spacing, slab thickness), the disc
values, the ordering prior and where the training data came from.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from deepspine_sct.anatomy import N_DISCS
from deepspine_sct.errors import DeepspineError
from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.model.hourglass import StackedHourglass
from deepspine_sct.model.hourglass_config import HourglassConfig
from deepspine_sct.model.original import OriginalConfig, OriginalHourglass
from deepspine_sct.model.seal import KEY, UNSEALED, is_intact, seal

_KEY = "deepspine_sct"
FORMAT_VERSION = 1

_LARGEST = {"n_stacks": 8, "n_blocks": 4, "n_features": 512, "depth": 6, "n_discs": N_DISCS}
"""A description that asks for more is made to exhaust the memory before a weight is compared."""


def save_checkpoint(path: Path, network: StackedHourglass, description: dict[str, Any]) -> None:
    """Write the network and ``description`` (JSON-compatible; the architecture is added to it), atomically."""
    header = description | {"format": FORMAT_VERSION, "network": network.config.to_dict()}
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    content = save(weights, metadata={_KEY: json.dumps(header, sort_keys=True), KEY: UNSEALED})
    with atomic_path(path) as temporary:
        Path(temporary).write_bytes(seal(_in_order(content)))


def _in_order(content: bytes) -> bytes:
    """Sort the texts of a file's header: safetensors writes them in another order in every process."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    ordered = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    ordered += b" " * (-len(ordered) % 8)  # the numbers behind it stay aligned
    return len(ordered).to_bytes(8, "little") + ordered + content[end:]


def load_checkpoint(path: Path) -> tuple[StackedHourglass, dict[str, Any]]:
    """Read a network, in evaluation mode, and its description.

    Raises
    ------
    DeepspineError
        Where the file is missing, damaged, no checkpoint of ours, or its weights do not fit its architecture.
    """
    weights, description = _read(Path(path))
    try:
        network = _build(description["network"])
        network.load_state_dict(weights)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise DeepspineError(
            f"{path}: the weights do not fit the architecture ({reason}); get the file again"
        ) from error
    return network.eval(), description


def _build(settings: dict[str, Any]) -> StackedHourglass:
    for name, largest in _LARGEST.items():
        if not 0 < settings.get(name, 1) <= largest:
            raise ValueError(f"{name} = {settings[name]}, allowed are 1 to {largest}")
    if settings.get("architecture") == "original":
        return OriginalHourglass(OriginalConfig(**settings))
    return StackedHourglass(HourglassConfig(**settings))


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            description = json.loads((file.metadata() or {})[_KEY])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except FileNotFoundError as error:
        raise DeepspineError(f"{path}: no such checkpoint; check -model") from error
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise DeepspineError(
            f"{path}: not a deepspine_sct checkpoint (.safetensors); give such a file, as pickled weights are never "
            "loaded"
        ) from error
    if not is_intact(path.read_bytes()):
        raise DeepspineError(f"{path}: was damaged or changed, its checksum does not fit; get the file again")
    version = description.get("format") if isinstance(description, dict) else description
    if version != FORMAT_VERSION:
        raise DeepspineError(f"{path}: checkpoint format {version} is not known; update deepspine_sct")
    return weights, description


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
