"""Replay a training step on a GPU: a small network's kernels run faster than Python can launch them."""

from collections.abc import Callable

import torch
from torch import Tensor

Batch = dict[str, Tensor]

_WARM_UP = 3  # steps before the recording, in which libraries choose their ways and take their memory


class RecordedStep:
    """What a function does to batches of one size, recorded once and replayed.

    Parameters
    ----------
    function : maps a batch to a dict of tensors; it must not wait for the GPU
    batch : on the GPU; every later batch has its shapes, and fewer images are filled up with copies of themselves
    """

    def __init__(self, function: Callable[[Batch], Batch], batch: Batch):
        self._batch = {key: value.clone() for key, value in batch.items()}
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UP):
                function(self._batch)
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._result = function(self._batch)

    def __call__(self, batch: Batch) -> Batch:
        """Return what the function returns for a batch."""
        for key, value in self._batch.items():
            value.copy_(fill_up(batch[key], len(value)), non_blocking=True)
        self._graph.replay()
        return {key: value.clone() for key, value in self._result.items()}


def fill_up(images: Tensor, n: int) -> Tensor:
    """Repeat images (B, ...) from the first on until there are n."""
    return images if len(images) == n else images[torch.arange(n, device=images.device) % len(images)]
