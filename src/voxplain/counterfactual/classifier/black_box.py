"""A function from images to logits as a module, which gives no gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from voxplain.errors import ModelError
from voxplain.model.checks import first_line

Predict = Callable[[NDArray[np.float32]], Any]


class BlackBox(nn.Module):
    """Asks a function that knows nothing of torch.

    Args:
        predict: (N, C, *S) float32, prepared, to (N, K) logits, as anything that NumPy reads.
        name: for messages.

    >>> box = BlackBox(lambda images: images.reshape(len(images), -1).sum(1, keepdims=True))
    >>> box(torch.ones(2, 1, 3, 3)).tolist()
    [[9.0], [9.0]]
    """

    def __init__(self, predict: Predict, name: str = "predict") -> None:
        super().__init__()
        self._predict, self._name = predict, name

    def __deepcopy__(self, memo: dict[int, Any]) -> BlackBox:
        """Another module that asks the same function, which may hold what cannot be copied."""
        return BlackBox(self._predict, self._name)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, *S) to (N, K), without a gradient.

        Raises:
            ModelError: the function fails, or gives something else.
        """
        images = np.ascontiguousarray(x.detach().cpu().numpy(), np.float32)
        try:
            out = self._predict(images)
            if isinstance(out, Tensor):
                out = out.detach().cpu().numpy()
            found = np.asarray(out, np.float32)
        except Exception as error:
            raise ModelError(
                f"classifier: {self._name} failed on images {tuple(images.shape)}: {first_line(error)}"
            ) from error
        return torch.from_numpy(np.array(found)).to(x.device)
