"""Learn more from an image than once: turn, shift, resize, cut and recolour whole batches, on the device that trains.

To simulate an image takes a core longer than to learn it takes a GPU. So each image may be learnt again some steps
later, never as it was ("data echoing", Choi et al. 2019). What is done to it is what real scans suffer: a body that
lies askew or is small, a field of view that ends early, a coil that leaves one end dark, noise, other contrasts.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from deepspine_sct.image.preprocessing import CLIP_PERCENTILES
from deepspine_sct.training.targets import Batch, make_targets

_ASKEW, _ASKEW_DEG, _TURN_DEG = 0.3, 40.0, 6.0  # share of the images that are turned by any angle up to so much
_SIZES = (0.8, 1.35)
_SHIFT = (0.2, 0.12)  # at most, of the rows and the columns
_CUT, _SHORT, _SHORT_MM = 0.5, 0.12, (45.0, 120.0)  # share with an end cut off; with a short piece left, and its length
_KNOTS = 7  # of an intensity curve
_RISING, _FALLING, _ANY = 0.5, 0.05, 0.05  # share of the images with a new intensity curve of each kind
_DARKENED, _NOISY, _BLURRED = 0.25, 0.5, 0.4


def vary(batch: Batch, generator: torch.Generator, spacing_mm: float) -> Batch:
    """Return a batch of the same images, each of them altered, and of what is still true of them.

    Parameters
    ----------
    batch : as a `SampleStream` gives it: image (B, 1, H, W), tips_rc (B, K, 2), presence (B, K), level and known
        (B, 1, h, w), and fold (B,), which stays
    generator : on the batch's device; all chance comes from it
    spacing_mm : size of a pixel
    """
    image = batch["image"]
    shape = image.shape[-2:]
    chance = _Chance(generator, len(image), image.device)
    matrix, shift_rc = _place(chance, shape)
    theta = _theta(matrix, shift_rc, shape)
    cut = _cut(chance, shape, spacing_mm)
    inside = _sample(torch.ones_like(image), theta, shape, "nearest")
    visible = inside * cut
    image = _sample(_unit(image), theta, shape, "bilinear")
    image = normalise(_degrade(chance, image) * visible)

    size = batch["level"].shape[-2:]
    still = F.adaptive_avg_pool2d(visible, size) > 0.99
    taught = _sample((~batch["level"].isnan()).float(), theta, size, "nearest") > 0.5
    level = _sample(batch["level"].nan_to_num(), theta, size, "nearest")
    known = _sample(batch["known"], theta, size, "nearest")
    known = torch.where(still, known, 1.0)  # of what is not in view it is known that there is no disc
    tips_rc, seen = _move(batch["tips_rc"], matrix, shift_rc, visible)
    presence = batch["presence"] * seen
    return (
        batch
        | make_targets(tips_rc, presence, tuple(shape), spacing_mm)
        | {
            "image": image,
            "tips_rc": tips_rc,
            "presence": presence,
            "level": torch.where(still & taught, level, torch.nan),
            "known": known,
        }
    )


def normalise(image: Tensor) -> Tensor:
    """Normalise images (B, 1, H, W) as `preprocessing.normalise` does one."""
    flat = image.flatten(1)
    shares = torch.tensor(CLIP_PERCENTILES, device=image.device, dtype=image.dtype) / 100
    low, high = torch.quantile(flat, shares, dim=1, keepdim=True)
    clipped = torch.minimum(torch.maximum(flat, low), high)
    clipped = clipped - clipped.mean(1, keepdim=True)
    deviation = clipped.std(1, keepdim=True, unbiased=False)
    return (clipped / torch.where(high > low, deviation, 1)).view_as(image)


class _Chance:
    """One random number per image of a batch, shaped (B, 1, 1, 1) to be multiplied with images."""

    def __init__(self, generator: torch.Generator, n: int, device: torch.device):
        self.device = device
        self._how = {"generator": generator, "device": device}
        self._shape = (n, 1, 1, 1)

    def uniform(self, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(self._shape, **self._how)

    def normal(self, deviation: float) -> Tensor:
        return deviation * torch.randn(self._shape, **self._how)

    def happens(self, share: float) -> Tensor:
        return torch.rand(self._shape, **self._how) < share

    def noise(self, image: Tensor) -> Tensor:
        return torch.randn(image.shape, **self._how)

    def knots(self, low: float) -> Tensor:
        return low + (1 - low) * torch.rand((self._shape[0], _KNOTS), **self._how)


def _place(chance: _Chance, shape) -> tuple[Tensor, Tensor]:
    """Draw how pixels of the new image, from its middle, map to the old one: matrix (B, 2, 2) and shift (B, 2) [px]."""
    askew = chance.uniform(-_ASKEW_DEG, _ASKEW_DEG)
    degrees = torch.where(chance.happens(_ASKEW), askew, chance.normal(_TURN_DEG))
    angle, size = torch.deg2rad(degrees).flatten(), chance.uniform(*_SIZES).flatten()
    rows = [torch.stack(row, -1) for row in ((angle.cos(), -angle.sin()), (angle.sin(), angle.cos()))]
    shift = [chance.uniform(-share, share).flatten() * n for share, n in zip(_SHIFT, shape, strict=True)]
    return torch.stack(rows, 1) / size[:, None, None], torch.stack(shift, -1)


def _theta(matrix: Tensor, shift_rc: Tensor, shape) -> Tensor:
    """Express a map of pixels from the middle (row, column) as torch wants it: (x, y), half the image being 1."""
    half = torch.tensor([shape[1] / 2, shape[0] / 2], device=matrix.device)  # (x, y)
    linear = matrix.flip(1, 2) * half[None, None, :] / half[None, :, None]
    return torch.cat([linear, (shift_rc.flip(1) / half)[..., None]], 2)


def _sample(maps: Tensor, theta: Tensor, size, mode: str) -> Tensor:
    grid = F.affine_grid(theta, [len(maps), 1, *size], align_corners=False)
    return F.grid_sample(maps, grid, mode=mode, padding_mode="zeros", align_corners=False)


def _move(tips_rc: Tensor, matrix: Tensor, shift_rc: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    """Return where tips (B, K, 2) come to lie, NaN outside of the image, and which of them are visible, (B, K)."""
    shape = torch.tensor(visible.shape[-2:], device=tips_rc.device)
    middle = (shape - 1) / 2
    back = torch.linalg.inv(matrix)
    moved = torch.einsum("bij,bkj->bki", back, tips_rc - middle - shift_rc[:, None]) + middle
    inside = ((moved >= -0.5) & (moved < shape - 0.5)).all(-1)
    moved = torch.where(inside[..., None], moved, torch.nan)
    row, col = moved.nan_to_num().round().long().unbind(-1)
    image = torch.arange(len(moved), device=moved.device)[:, None]
    return moved, inside * visible[image, 0, row, col]


def _cut(chance: _Chance, shape, spacing_mm: float) -> Tensor:
    """Draw what a field of view leaves, (B, 1, H, W) of 0 and 1: an end is cut off, or but a short piece is left."""
    rows = torch.arange(shape[0], device=chance.device)[:, None]
    cols = torch.arange(shape[1], device=chance.device)
    top = chance.uniform(0, 0.6) * shape[0] * chance.happens(_CUT / 2)
    bottom = shape[0] * (1 - chance.uniform(0, 0.6) * chance.happens(_CUT / 2))
    length = chance.uniform(*_SHORT_MM) / spacing_mm
    start = chance.uniform(0, 1) * (shape[0] - length).clamp(min=0)
    short = chance.happens(_SHORT)
    bottom = torch.maximum(bottom, top + _SHORT_MM[0] / spacing_mm)
    top, bottom = torch.where(short, start, top), torch.where(short, start + length, bottom)
    left = chance.uniform(0, 0.3) * shape[1] * chance.happens(_CUT / 3)
    right = shape[1] * (1 - chance.uniform(0, 0.2) * chance.happens(_CUT / 3))
    return ((rows >= top) & (rows < bottom) & (cols >= left) & (cols < right)).float()


def _unit(image: Tensor) -> Tensor:
    """Bring each image to [0, 1]."""
    low, high = image.amin((1, 2, 3), keepdim=True), image.amax((1, 2, 3), keepdim=True)
    return (image - low) / (high - low).clamp(min=1e-6)


def _degrade(chance: _Chance, image: Tensor) -> Tensor:
    """Recolour, blur or sharpen, darken along the rows and add noise to images in [0, 1]."""
    image = _recolour(chance, image)
    blurred = F.avg_pool2d(F.avg_pool2d(image, 3, 1, 1), 3, 1, 1)
    image = (image + chance.uniform(-0.5, 1) * chance.happens(_BLURRED) * (blurred - image)).clamp(min=0)
    along = torch.linspace(0, 1, image.shape[2], device=image.device)[:, None]
    along = torch.where(chance.happens(0.5), along, 1 - along)
    image = image * torch.exp(-chance.uniform(0, 3) * chance.happens(_DARKENED) * along)
    sigma = chance.uniform(0, 0.07) * chance.happens(_NOISY) * image.flatten(1).quantile(0.98, 1)[:, None, None, None]
    return torch.hypot(image + sigma * chance.noise(image), sigma * chance.noise(image))


def _recolour(chance: _Chance, image: Tensor) -> Tensor:
    """Bend the intensity curves of some images in [0, 1]; turn those of few upside down, or draw any."""
    rising = F.pad(chance.knots(0.15).cumsum(1), (1, 0))
    rising = rising / rising[:, -1:]
    same = torch.linspace(0, 1, _KNOTS + 1, device=image.device).expand_as(rising)
    kind = chance.uniform(0, 1).flatten()[:, None]
    curve = torch.where(kind < _RISING, rising, same)
    curve = torch.where(kind > 1 - _FALLING, rising.flip(1), curve)
    other = F.pad(chance.knots(0.0), (1, 0))
    curve = torch.where((kind > 1 - _FALLING - _ANY) & (kind <= 1 - _FALLING), other, curve)
    at = (image * _KNOTS).clamp(0, _KNOTS - 1e-3)
    low = at.floor().long()
    of = low.flatten(1)
    below, above = curve.gather(1, of).view_as(image), curve.gather(1, of + 1).view_as(image)
    return below + (above - below) * (at - low)
