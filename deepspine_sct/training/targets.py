"""What a network shall answer to images: where each disc is, how sure of its name, and where to look.

For a whole batch at once, on the device that trains.
"""

import torch
from torch import Tensor

from deepspine_sct.anatomy import N_DISCS

Batch = dict[str, Tensor]  # what is learnt in one step: images, their answers, and what is known of them

STRIDE = 2  # image pixels per heatmap pixel, of `HourglassConfig`
SIGMA_MM = 4.0  # of a disc's Gaussian
_LOOK_MM = 10.0  # the attention belongs to so much around a disc's tip
_LOWEST_NECK_ANCHOR = 5  # who sees C4/C5 or a disc above it can count down from the skull or from C2
_NEIGHBOUR = 0.08  # probability that each neighbour's name gets where the spine shows no end


def make_targets(
    tips_rc: Tensor, presence: Tensor, shape: tuple[int, int], spacing_mm: float, sigma_mm: float = SIGMA_MM
) -> dict[str, Tensor]:
    """Return the answers to images of (H, W) pixels.

    Parameters
    ----------
    tips_rc : (B, K, 2) row and column of every disc's posterior tip [image pixel]; NaN where a disc is absent
    presence : (B, K) 1 = seen, 0 = absent
    shape : (H, W) of the images
    spacing_mm : size of a pixel
    sigma_mm : standard deviation of a disc's Gaussian

    Returns
    -------
    On heatmap pixels of `STRIDE` image pixels: target (B, K + 1, h, w), disc probabilities and background, summing to
    one; look (B, 1, h, w), where the attention belongs, 1 at a disc.
    """
    size = shape[0] // STRIDE, shape[1] // STRIDE
    tips_rc = (tips_rc - (STRIDE - 1) / 2) / STRIDE
    present = presence[:, :, None, None]
    discs = _gaussians(tips_rc, size, sigma_mm / (spacing_mm * STRIDE)) * present
    discs = discs / discs.sum(1, keepdim=True).clamp(min=1)  # Gaussians of close neighbours overlap
    anchored = _is_anchored(presence)[:, None, None, None]
    discs = torch.where(anchored, discs, _unsure_of_name(discs))
    look = (_gaussians(tips_rc, size, _LOOK_MM / (spacing_mm * STRIDE)) * present).amax(1, keepdim=True)
    return {"target": torch.cat([discs, 1 - discs.sum(1, keepdim=True)], 1), "look": look}


def _gaussians(centres_rc: Tensor, size: tuple[int, int], sigma_px: float) -> Tensor:
    """Draw Gaussians of peak 1 (B, K, h, w) around (B, K, 2) centres; as the outer products of their profiles."""
    rows, cols = (
        torch.exp(-0.5 * ((torch.arange(n, device=centres_rc.device) - centres_rc[..., axis, None]) / sigma_px) ** 2)
        for axis, n in enumerate(size)
    )
    return torch.nan_to_num(rows[..., :, None] * cols[..., None, :])


def _is_anchored(presence: Tensor) -> Tensor:
    """Whether the discs (B, K) that are seen reach an end of the spine, from which they can be counted; (B,) bool."""
    return (presence[:, :_LOWEST_NECK_ANCHOR] > 0).any(1) | (presence[:, N_DISCS - 1 :] > 0).any(1)


def _unsure_of_name(discs: Tensor) -> Tensor:
    """Give a share of each disc's probability (B, K, h, w) to its neighbours' names.

    Who sees neither end of the spine names one scan in seven wrongly, by a level (see `docs/model_card.md`); a few
    subjects that are learnt by heart would teach the network to be sure.
    """
    unsure = (1 - 2 * _NEIGHBOUR) * discs
    unsure[:, 1:] += _NEIGHBOUR * discs[:, :-1]
    unsure[:, :-1] += _NEIGHBOUR * discs[:, 1:]
    unsure[:, 0] += _NEIGHBOUR * discs[:, 0]
    unsure[:, -1] += _NEIGHBOUR * discs[:, -1]
    return unsure
