"""A function from images to logits as a module, which gives no gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from voxplain.errors import ModelError, VoxplainError
from voxplain.model.checks import first_line

Predict = Callable[[NDArray[np.float32]], Any]


@dataclass
class Tally:
    """How much a black box was asked, which may be paid for.

    Attributes:
        images: that it was given.
        calls: in which they were given.
    """

    images: int = 0
    calls: int = 0


class BlackBox(nn.Module):
    """Asks a function that knows nothing of torch.

    Args:
        predict: (N, C, *S) float32, prepared, to (N, K) logits, as anything that NumPy reads.
        name: for messages.
        batch: images per call at most; None gives all at once.
        tally: counts; copies share it.

    >>> box = BlackBox(lambda images: images.reshape(len(images), -1).sum(1, keepdims=True))
    >>> box(torch.ones(2, 1, 3, 3)).tolist(), box.tally.images
    ([[9.0], [9.0]], 2)
    """

    def __init__(
        self, predict: Predict, name: str = "predict", *, batch: int | None = None, tally: Tally | None = None
    ) -> None:
        super().__init__()
        self._predict, self._name, self._batch = predict, name, batch
        self.tally = Tally() if tally is None else tally

    def __deepcopy__(self, memo: dict[int, Any]) -> BlackBox:
        """Another module that asks the same function, which may hold what cannot be copied."""
        return BlackBox(self._predict, self._name, batch=self._batch, tally=self.tally)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, *S) to (N, K), without a gradient.

        Raises:
            ModelError: the function fails, or gives something else than finite numbers for every image.
        """
        images = np.ascontiguousarray(x.detach().cpu().numpy(), np.float32)
        step = self._batch or max(len(images), 1)
        found = [self._asked(images[start : start + step]) for start in range(0, max(len(images), 1), step)]
        return torch.from_numpy(np.concatenate(found)).to(x.device)

    def _asked(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        self.tally.images += len(images)
        self.tally.calls += 1
        try:
            out = self._predict(images)
            if isinstance(out, Tensor):
                out = out.detach().cpu().numpy()
            found = np.array(out, np.float32)
        except VoxplainError:
            raise
        except Exception as error:
            raise ModelError(
                f"classifier: {self._name} failed on images {tuple(images.shape)}: {first_line(error)}"
            ) from error
        if found.ndim == 0 or len(found) != len(images):
            raise ModelError(
                f"classifier: {self._name} gives shape {found.shape} for {len(images)} images, expected logits "
                f"({len(images)}, K)"
            )
        finite = np.isfinite(found.reshape(len(found), -1)).all(1)
        if not finite.all():
            raise ModelError(
                f"classifier: {self._name} gives NaN or infinity for {int((~finite).sum())} of {len(images)} images, "
                "expected logits"
            )
        return found


def tally_of(module: nn.Module) -> Tally | None:
    """The count of a black box within a module; None where there is none."""
    return next((m.tally for m in module.modules() if isinstance(m, BlackBox)), None)
