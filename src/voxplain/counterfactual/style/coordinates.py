"""StyleSpace: every channel of every layer's scales by itself, which changes less at once than codes do."""

from __future__ import annotations

import torch
from torch import Tensor

from voxplain.counterfactual.style.synthesis import Synthesis
from voxplain.errors import InputError

_BATCH = 64


class StyleCoordinates:
    """Single channels of the scales by which styles modulate convolutions (Wu et al., StyleSpace, CVPR 2021).

    Channels that images do not depend on, or that are the same for all styles, are left out. The others are in the order in
    which the mean image changes when they are moved by a standard deviation; the classifier is not asked for that.

    Args:
        synthesis: trained.
        styles: (N, styles) or (N, layers, styles) of plausible images.

    Raises:
        InputError: no channel changes anything.
    """

    def __init__(self, synthesis: Synthesis, styles: Tensor) -> None:
        self.synthesis = synthesis
        with torch.no_grad():
            scales = torch.cat([torch.cat(synthesis.scales(part), 1) for part in torch.split(styles, 512)])
            self._spread = scales.std(0)
            effects = self._effects(scales.mean(0))
        chosen = effects.argsort(descending=True, stable=True)
        self._order: list[int] = chosen[effects[chosen] > 0].tolist()
        if not self._order:
            raise InputError("coordinates: found no channel of any style that changes the image")

    @property
    def count(self) -> int:
        return len(self._order)

    def place(self, index: int) -> str:
        """Which convolution, from the coarsest one, and which of its channels."""
        channel = self._order[index]
        for name, width in zip(self.synthesis.scale_names, self.synthesis.widths, strict=True):
            if channel < width:
                return f"{name}, channel {channel}"
            channel -= width
        raise AssertionError("channels and layers do not add up")

    def moved(self, codes: Tensor, index: int, by: float) -> Tensor:
        """Images of styles, as the generator's codes hold them, with one channel moved."""
        channel, synthesis = self._order[index], self.synthesis
        w = codes if codes.shape[1] == synthesis.styles else codes.reshape(len(codes), synthesis.layers, -1)
        scales = torch.cat(synthesis.scales(w), 1)
        scales[:, channel] += by * self._spread[channel].to(scales)
        return self._made(scales)

    def _made(self, scales: Tensor) -> Tensor:
        return self.synthesis.styled(torch.split(scales, self.synthesis.widths, 1))

    def _effects(self, mean: Tensor) -> Tensor:
        """(K,) root mean square of what each channel changes of the mean image."""
        plain, found = self._made(mean[None]), []
        for part in torch.split(torch.diag(self._spread), _BATCH):
            gap = self._made(mean + part) - plain
            found.append(gap.flatten(1).square().mean(1).sqrt())
        return torch.cat(found)
