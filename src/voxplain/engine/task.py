"""What the network does with an image: one answer for it as a whole, or one for every voxel."""

from __future__ import annotations

import torch
from torch import Tensor

from voxplain.engine.layout import Layout
from voxplain.engine.runner import Runner
from voxplain.errors import ModelError


def learn_layout(runner: Runner, layout: Layout, image: Tensor) -> Layout | None:
    """The layout of a segmentation, ``None`` for a classifier.

    Raises:
        ModelError: a classifier, which sees the whole image at once, was given windows.
    """
    if _task(runner, layout, image) == "segmentation":
        return layout
    if len(layout) > 1 or layout.is_padded:
        model = runner.model
        raise ModelError(
            f"{model.name}: it is a classifier, which sees the whole image at once, but windows of "
            f"{layout.roi} do not equal the prepared image's {layout.shape}; leave roi out"
            + (f" and resample with size={layout.roi}" if model.fixed_shape else "")
        )
    return None


def _task(runner: Runner, layout: Layout, image: Tensor) -> str:
    model = runner.model
    try:
        return model.task
    except ModelError:
        # small probing inputs were refused; a window of the real size tells
        first = layout.pad(image)[(slice(None), *layout.slices[0])]
        with runner.session(), torch.no_grad():
            runner.forward(first[None].to(model.device))
        return model.task
