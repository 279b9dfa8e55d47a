"""From styles to images, level by level."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from voxplain.counterfactual.style.layers import enlarged, leaky
from voxplain.counterfactual.style.modulated import ModulatedConv
from voxplain.counterfactual.style.scale import ImageScale
from voxplain.errors import InputError

_FAINT = 0.1


class Synthesis(nn.Module):
    """A learned constant, enlarged by two at every level; every level adds its own image to the enlarged one before.

    Args:
        shape: (C, *S), every axis divisible by 2 to the number of levels.
        styles: length of w.
        levels: how many times the size is doubled; by default until an axis of the constant would be shorter than 4.
        width: channels at full size, doubled at every coarser level up to ``most``.
        most: channels at most.

    Raises:
        InputError: a size that cannot be made of doublings.
    """

    def __init__(
        self,
        shape: Sequence[int],
        styles: int = 64,
        *,
        levels: int | None = None,
        width: int = 16,
        most: int = 128,
    ) -> None:
        super().__init__()
        channels, *size = shape
        self.shape, self.levels = tuple(shape), doublings(size, levels)
        self.dims, self.styles = len(size), styles
        self.scale = ImageScale(shape)
        widths = [min(most, width * 2 ** (self.levels - k)) for k in range(self.levels + 1)]
        self.constant = nn.Parameter(torch.randn(widths[0], *(n // 2**self.levels for n in size)))
        self.blocks = nn.ModuleList(
            _Block(self.dims, widths[max(k - 1, 0)], widths[k], styles, channels, first=k == 0)
            for k in range(self.levels + 1)
        )

    @property
    def layers(self) -> int:
        """How many styles an image takes: one of the coarsest level, two of every other."""
        return 1 + 2 * self.levels

    def forward(self, w: Tensor, *, noise: int | None = None) -> Tensor:
        """Images (N, C, *S).

        Args:
            w: (N, styles) for all layers, or (N, layers, styles).
            noise: seed of fresh noise; without, every layer has its own, which stays.
        """
        return self.styled(self.scales(w), noise=noise)

    def scales(self, w: Tensor) -> list[Tensor]:
        """What each modulated convolution makes of its style: (N, inputs) each, level by level, the image's last."""
        each = w[:, None].expand(-1, self.layers, -1) if w.ndim == 2 else w
        found: list[Tensor] = []
        used = 0
        for block in self._blocks():
            count = len(block.convs)
            found += block.scales(each[:, used : used + count])
            used += count
        return found

    def styled(self, scales: Sequence[Tensor], *, noise: int | None = None) -> Tensor:
        """Images (N, C, *S) by the scales themselves, the coordinates of style space."""
        generator = None if noise is None else torch.Generator(scales[0].device).manual_seed(noise)
        x = self.constant.expand(len(scales[0]), *self.constant.shape)
        image: Tensor | None = None
        used = 0
        for block in self._blocks():
            count = len(block.convs) + 1
            x, own = block(x, scales[used : used + count], generator)
            image = own if image is None else enlarged(image) + own
            used += count
        assert image is not None
        return self.scale.outward(image)

    @property
    def widths(self) -> list[int]:
        """Channels of each of `scales`."""
        return [conv.weight.shape[1] for block in self._blocks() for conv in (*block.convs, block.image)]

    @property
    def scale_names(self) -> list[str]:
        """What each of `scales` belongs to."""
        return [
            f"level {level}, {name}"
            for level, block in enumerate(self._blocks())
            for name in (*(f"convolution {k}" for k in range(len(block.convs))), "image")
        ]

    def _blocks(self) -> list[_Block]:
        return [block for block in self.blocks if isinstance(block, _Block)]


def doublings(size: Sequence[int], levels: int | None = None) -> int:
    """How many times a size is doubled from what it begins with.

    Raises:
        InputError: axes that are not divisible; the message says what size is.

    >>> doublings((32, 32)), doublings((96, 64)), doublings((24, 24, 24))
    (3, 4, 2)
    """
    if len(size) not in (2, 3):
        raise InputError(f"shape: found {len(size)} spatial axes, expected 2 or 3")
    wanted = levels
    if wanted is None:
        wanted = 0
        while all(n % 2 ** (wanted + 1) == 0 and n // 2 ** (wanted + 1) >= 4 for n in size):
            wanted += 1
    if wanted < 1 or any(n % 2**wanted for n in size):
        step = 2 ** max(wanted, 3)
        padded = tuple(-(-n // step) * step for n in size)
        raise InputError(
            f"shape: found {tuple(size)}, which is no doubling of a smaller size; pad or resample images to {padded}, such "
            f"as by prepare.divisible={step}"
        )
    return wanted


class _Block(nn.Module):
    """One level: modulated convolutions with noise, and its share of the image."""

    def __init__(
        self, dims: int, inputs: int, outputs: int, styles: int, channels: int, *, first: bool
    ) -> None:
        super().__init__()
        pairs = [(inputs, outputs)] if first else [(inputs, outputs), (outputs, outputs)]
        self.first = first
        self.convs = nn.ModuleList(ModulatedConv(dims, i, o, styles) for i, o in pairs)
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(o)) for _, o in pairs)
        self.strengths = nn.ParameterList(nn.Parameter(torch.zeros(())) for _ in pairs)
        self.image = ModulatedConv(dims, outputs, channels, styles, 1, demodulate=False)
        # levels add up: what nothing was learned of yet must not outshine what differs between images
        nn.init.normal_(self.image.weight, std=_FAINT)
        self.image_bias = nn.Parameter(torch.zeros(channels))

    def scales(self, w: Tensor) -> list[Tensor]:
        """Of the convolutions and of the image, of styles (N, convolutions, styles)."""
        found = [_modulated(conv).style(w[:, k]) for k, conv in enumerate(self.convs)]
        return [*found, self.image.style(w[:, -1])]

    def forward(
        self, x: Tensor, scales: Sequence[Tensor], generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        if not self.first:
            x = enlarged(x)
        for k, conv in enumerate(self.convs):
            x = _modulated(conv).styled(x, scales[k])
            x = x + self.strengths[k] * _noise(x, generator, k)
            x = leaky(x + _over(self.biases[k], x))
        image = self.image.styled(x, scales[-1])
        return x, image + _over(self.image_bias, image)


def _modulated(conv: nn.Module) -> ModulatedConv:
    assert isinstance(conv, ModulatedConv)
    return conv


def _noise(x: Tensor, generator: torch.Generator | None, layer: int) -> Tensor:
    """One channel; fresh for every image, or always the same for all."""
    if generator is not None:
        return torch.randn(len(x), 1, *x.shape[2:], generator=generator, device=x.device, dtype=x.dtype)
    fixed = torch.Generator().manual_seed(layer)
    return torch.randn(1, 1, *x.shape[2:], generator=fixed, dtype=torch.float32).to(x)


def _over(bias: Tensor, x: Tensor) -> Tensor:
    return bias.reshape(1, -1, *(1,) * (x.ndim - 2))
