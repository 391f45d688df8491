"""The network of the original project, and its checkpoints.

R. Azad, L. Rouhier, J. Cohen-Adad, "Stacked hourglass network with a multi-level attention
mechanism: where to look for intervertebral disc labeling" (2021). A checkpoint is a pickle with the
weights under ``model_weights``, each name after ``module.``. It is read without running any code in
it. The layers take the places of ours; where ours have no bias before a normalisation, the bias
goes into the mean that the normalisation subtracts, which changes nothing.

What the network was trained on, and what `OriginalHourglass` therefore does around it: the image is
scaled to [0, 1], stands three times in the input, and lies with its first axis from posterior to
anterior and its second from inferior to superior. Its heatmaps are linear, 1 at a disc.
"""

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError  # torch.load reads that format, too
from torch import Tensor, nn

from deepspine_sct.anatomy import DISC_VALUES
from deepspine_sct.errors import DeepspineError
from deepspine_sct.model.hourglass import Residual, StackedHourglass
from deepspine_sct.model.hourglass_config import HourglassConfig

State = Mapping[str, Tensor]

_STEM_FEATURES = 64
_ATTENTION_FEATURES = (128, 16, 8)
_DEPTH = 4
_EPS = 1e-6


@dataclass(frozen=True)
class OriginalConfig(HourglassConfig):
    """Sizes of the original network."""

    architecture: str = "original"

    @property
    def stride(self) -> int:
        """Image pixels per heatmap pixel (the stem halves twice)."""
        return 4


class OriginalHourglass(StackedHourglass):
    """The original's stem and attention around the same hourglasses, with our interface.

    ``forward`` maps images (B, 1, H, W) in any intensities, rows from superior to inferior, to
    scores (S, B, K + 2, H / 4, W / 4) whose sigmoid is a heatmap, as the loss "mse" has it, and to
    the attention (B, 1, H / 4, W / 4). There is no background and no level: their channels are 0.
    """

    def __init__(self, config: OriginalConfig):
        super().__init__(config)
        n = config.n_features
        self.stem = nn.Sequential(
            nn.Conv2d(1, _STEM_FEATURES, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(_STEM_FEATURES),
            nn.ReLU(inplace=True),
            Residual(_STEM_FEATURES, 2 * _STEM_FEATURES),
            nn.MaxPool2d(2),
            Residual(2 * _STEM_FEATURES, n),
            Residual(n, n),
        )
        if config.attention:
            self.attention = _attention(n * config.n_stacks)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Run the network on images (B, 1, H, W), scaled from 0 to 1 as the original does."""
        low, high = image.amin((2, 3), keepdim=True), image.amax((2, 3), keepdim=True)
        image = (image - low) / (high - low).clamp(min=_EPS)
        scores, attention = super().forward(_turn(image))
        heatmaps = scores[:, :, :-2].clamp(_EPS, 1 - _EPS)
        scores = torch.cat([torch.logit(heatmaps), scores[:, :, -2:]], dim=2)
        return _turn(scores), _turn(attention)


def _attention(n_in: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_out in _ATTENTION_FEATURES:
        layers += [nn.Conv2d(n_in, n_out, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]
        n_in = n_out
    return nn.Sequential(*layers, nn.Conv2d(n_in, 1, 1, bias=False), nn.Sigmoid())


def _turn(maps: Tensor) -> Tensor:
    """Mirror at the second diagonal: between (inferior, posterior) and (anterior, superior)."""
    return maps.flip((-2, -1)).transpose(-2, -1)


def read_original(path: Path) -> dict[str, Tensor]:
    """Read the weights of a checkpoint of the original project, without running code from it.

    Raises
    ------
    DeepspineError
        Where the file is missing, holds anything but tensors and plain values, or no such weights.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch says at length what the line below says
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise DeepspineError(f"{path}: no such file; check -i") from error
    except (
        UnpicklingError, SafetensorError, RuntimeError, EOFError, OSError, ValueError, KeyError
    ) as error:  # fmt: skip
        raise DeepspineError(
            f"{path}: not a checkpoint of plain weights, and one that would run code is refused; give a file of the "
            "original project"
        ) from error
    state = content.get("model_weights", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise DeepspineError(f"{path}: holds no `model_weights`; give a file of the original project")
    return {name.removeprefix("module."): tensor.float() for name, tensor in state.items()}


def convert(state: State, first_disc: int, path: Path) -> OriginalHourglass:
    """Build the network of some original weights, in evaluation mode.

    Parameters
    ----------
    state : of `read_original`
    first_disc : disc value of the first channel; the others follow downwards
    path : where the weights come from, for the messages

    Raises
    ------
    DeepspineError
        Where the weights are not those of this architecture, or the discs end below the last one.
    """
    try:
        config = _config_of(state, first_disc)
        if config.n_discs > len(DISC_VALUES):
            raise DeepspineError(f"{path}: with -first {first_disc} it has discs below L5/S1; give a lower -first")
        network = OriginalHourglass(config)
        network.load_state_dict(dict(_renamed(state, config, first_disc)))
    except (KeyError, RuntimeError, ValueError, IndexError) as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise DeepspineError(
            f"{path}: not the original architecture ({reason}); give a file of the original project"
        ) from error
    return network.eval()


def _config_of(state: State, first_disc: int) -> OriginalConfig:
    n_stacks = 1 + max(int(m[1]) for n in state if (m := re.match(r"score\.(\d+)\.", n)))
    return OriginalConfig(
        n_stacks=n_stacks,
        n_blocks=1 + max(int(m[1]) for n in state if (m := re.match(r"res\.0\.(\d+)\.", n))),
        n_features=state["score.0.weight"].shape[1],
        depth=_DEPTH,
        n_discs=state["score.0.weight"].shape[0] + first_disc - 1,
        attention="attention.0.weight" in state,
    )


def _renamed(state: State, config: OriginalConfig, first_disc: int) -> Iterator[tuple[str, Tensor]]:
    """Yield (our name, tensor) of every weight."""
    pairs = list(_layer_pairs(config))
    for original, ours, kind in pairs:
        yield from _CONVERT[kind](state, original, ours)
    empty = first_disc - 1  # channels of discs above the first one: silent
    for i in range(config.n_stacks):
        weight, bias = state[f"score.{i}.weight"], state[f"score.{i}.bias"]
        yield f"heads.{i}.score.weight", _pad(weight, empty, 1)
        yield f"heads.{i}.score.bias", _pad(bias, empty, 1)
        yield f"heads.{i}.level.weight", torch.zeros_like(weight[:1])
        yield f"heads.{i}.level.bias", torch.zeros_like(bias[:1])
    for i in range(config.n_stacks - 1):
        weight = state[f"score_.{i}.weight"].transpose(0, 1)
        yield f"merge_scores.{i}.weight", _pad(weight, empty, 2).transpose(0, 1)
        yield f"merge_scores.{i}.bias", state[f"score_.{i}.bias"]


def _pad(weight: Tensor, before: int, after: int) -> Tensor:
    """Add zero channels along the first axis."""
    shape = weight.shape[1:]
    return torch.cat([weight.new_zeros(before, *shape), weight, weight.new_zeros(after, *shape)])


def _layer_pairs(config: OriginalConfig) -> Iterator[tuple[str, str, str]]:
    """Yield (original name, our name, kind) of every layer or block."""
    yield "conv1 bn1", "stem.0 stem.1", "stem"
    for n, stage in enumerate((3, 5, 6), start=1):
        yield f"layer{n}.0", f"stem.{stage}", "block"
    blocks = range(config.n_blocks)
    for i in range(config.n_stacks):
        for level in range(config.depth):  # 0 is the innermost
            ours = f"hourglasses.{i}" + ".inner" * (config.depth - 1 - level)
            places = ("skip", "down", "up") + (("inner",) if level == 0 else ())
            for branch, place in enumerate(places):
                for b in blocks:
                    yield f"hg.{i}.hg.{level}.{branch}.{b}", f"{ours}.{place}.{b}", "block"
        for b in blocks:
            yield f"res.{i}.{b}", f"features.{i}.{b}", "block"
        last = config.n_blocks
        yield f"fc.{i}.0 fc.{i}.1", f"features.{i}.{last} features.{i}.{last + 1}", "conv_norm"
    for i in range(config.n_stacks - 1):
        yield f"fc_.{i}", f"merge_features.{i}", "same"
    if config.attention:
        for n in range(0, 3 * len(_ATTENTION_FEATURES), 3):
            yield f"attention.{n}", f"attention.{n}", "same"
            yield f"attention.{n + 1}", f"attention.{n + 1}", "same"
        score = f"attention.{3 * len(_ATTENTION_FEATURES)}"
        yield score, score, "same"


def _same(state: State, original: str, ours: str) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in state.items():
        if name.startswith(f"{original}."):
            yield ours + name.removeprefix(original), tensor


def _conv_norm(state: State, original: str, ours: str) -> Iterator[tuple[str, Tensor]]:
    """Convert a convolution and the normalisation after it; the bias of the first goes into the second."""
    (conv, norm), (our_conv, our_norm) = original.split(), ours.split()
    yield f"{our_conv}.weight", state[f"{conv}.weight"]
    for name, tensor in _same(state, norm, our_norm):
        is_mean = name.endswith(".running_mean")
        yield name, tensor - state[f"{conv}.bias"] if is_mean else tensor


def _stem(state: State, original: str, ours: str) -> Iterator[tuple[str, Tensor]]:
    """As `_conv_norm`; three equal input channels are one with the sum of their weights."""
    grey = {"conv1.weight": state["conv1.weight"].sum(dim=1, keepdim=True)}
    yield from _conv_norm({**state, **grey}, original, ours)


def _block(state: State, original: str, ours: str) -> Iterator[tuple[str, Tensor]]:
    """Convert a residual block: normalise, convolve, three times."""
    yield from _same(state, f"{original}.bn1", f"{ours}.body.0")
    for n, place in ((1, 2), (2, 5)):
        pair = f"{original}.conv{n} {original}.bn{n + 1}"
        yield from _conv_norm(state, pair, f"{ours}.body.{place} {ours}.body.{place + 1}")
    yield from _same(state, f"{original}.conv3", f"{ours}.body.8")
    yield from _same(state, f"{original}.downsample.0", f"{ours}.skip")


_CONVERT = {"stem": _stem, "block": _block, "conv_norm": _conv_norm, "same": _same}
