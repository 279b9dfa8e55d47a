"""The peer of everything over windows: whole images through MONAI's sliding-window inference, and their scores."""

from __future__ import annotations

from collections.abc import Callable

import torch
from monai.inferers import sliding_window_inference
from torch import Tensor
from torch.nn import functional as F

from voxplain.model import Windows


def stitched(net: Callable[[Tensor], Tensor], x: Tensor, windows: Windows) -> Tensor:
    """(C, *S) -> (K, *S), or (K,) of a classifier on the whole image; differentiable as a whole."""
    if windows.roi is None:
        return net(x[None])[0]
    return sliding_window_inference(
        x[None],
        windows.sizes(tuple(x.shape[1:])),
        4,
        net,
        overlap=windows.overlap,
        mode=windows.blend,
        sigma_scale=windows.sigma_scale,
        padding_mode=windows.padding,
        cval=windows.padding_value,
    )[0]


def scores(z: Tensor, clean: Tensor, kind: str) -> Tensor:
    """Every class's score, (K,): mean over its clean region, or the classifier's; the rival is the clean output's."""
    out = []
    for c in range(len(clean)):
        rival = clean.clone()
        rival[c] = -torch.inf
        s = {
            "logit": z[c],
            "margin": z[c] - z.gather(0, rival.argmax(0)[None])[0],
            "log_probability": F.log_softmax(z, 0)[c],
            "probability": F.softmax(z, 0)[c],
        }[kind]
        out.append(s[clean.argmax(0) == c].mean() if z.dim() > 1 else s)
    return torch.stack(out)
