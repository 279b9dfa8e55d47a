"""Changed images, made window by window: no changed image is ever whole in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.engine.layout import Layout, Slices

Make = Callable[[Slices], Tensor]


@dataclass(frozen=True)
class Canvas:
    """An image of which any part can be made anew, padded as the windows want it.

    Attributes:
        image: (C, *spatial) the prepared image.
        padded: (C, *padded) what the windows are cut from.
        layout: the windows; ``None`` for a classifier.
    """

    image: Tensor
    padded: Tensor
    layout: Layout | None

    def box(self, where: Slices, make: Make) -> Tensor:
        """A part of the padded image (C, *box) in which the image itself is replaced by what ``make`` returns.

        Args:
            where: slices of the padded image.
            make: slices of the image -> (C, *box), the same voxel always with the same value.
        """
        layout = self.layout
        if layout is None or not layout.is_padded:
            return make(where)
        if layout.windows.padding != "constant":
            # padding repeats the image, so it repeats the change
            whole = make(tuple(slice(0, s) for s in layout.shape))
            return layout.pad(whole)[(slice(None), *where)]
        out = self.padded[(slice(None), *where)].clone()
        seen = inside(layout, where)
        if seen is not None:
            in_image, in_box = seen
            out[(slice(None), *in_box)] = make(in_image)
        return out


def inside(layout: Layout, where: Slices) -> tuple[Slices, Slices] | None:
    """The part of the image in a box of the padded image: (slices of the image, the same slices of the box)."""
    in_image, in_box = [], []
    for asked, before, size in zip(where, layout.before, layout.shape, strict=True):
        start, stop = max(asked.start - before, 0), min(asked.stop - before, size)
        if stop <= start:
            return None
        in_image.append(slice(start, stop))
        in_box.append(slice(start - asked.start + before, stop - asked.start + before))
    return tuple(in_image), tuple(in_box)


@dataclass(frozen=True)
class Masked:
    """Draws ``b + m ⊙ (x − b)``: what a mask hides is replaced by a baseline. A `Sampler`.

    Attributes:
        baseline: (C, *spatial).
        mask: (draw, slices of the image) -> (*box), 1 where the image is shown.
        draws: how many.
    """

    canvas: Canvas
    baseline: Tensor
    mask: Callable[[int, Slices], Tensor]
    draws: int

    def __len__(self) -> int:
        return self.draws

    def input(self, draw: int, where: Slices) -> Tensor:
        return self.canvas.box(where, lambda box: self._shown(draw, box))

    def factor(self, draw: int, where: Slices) -> float:
        return 1.0

    def _shown(self, draw: int, box: Slices) -> Tensor:
        part = (slice(None), *box)
        image = self.canvas.image[part]
        return torch.lerp(self.baseline[part], image, self.mask(draw, box).to(image.dtype))
