"""Somebody else's generator as a family of images: its encode and decode, with what it lacks made up for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from voxplain.counterfactual.generator.module import ModuleGenerator
from voxplain.counterfactual.generator.statistics import LatentStatistics
from voxplain.errors import ModelError


class ForeignGenerator(ModuleGenerator):
    """Codes are flattened, so that any shape of them is fine; where there is no `sample`, samples are normal.

    Args:
        made: has encode and decode; moved and frozen where it is a module.
        shape: (C, *S) of its images.
        latent: shape of one code.
        statistics: of plausible codes, flattened.
    """

    def __init__(
        self, made: Any, shape: Sequence[int], latent: Sequence[int], statistics: LatentStatistics
    ) -> None:
        super().__init__(shape, statistics)
        self.made, self.latent = made, tuple(latent)
        self.requires_grad_(False).eval()

    @classmethod
    def of(cls, made: Any, images: Tensor, source: str) -> ForeignGenerator:
        """With statistics that it brings, or else those of the codes of images (N, C, *S).

        Raises:
            ModelError: see `check_generator`.
        """
        if isinstance(made, nn.Module):
            made.requires_grad_(False).eval()
        latent = check_generator(made, images[:3], source)
        codes = torch.cat([_coded(made, part, source).flatten(1) for part in torch.split(images, 64)])
        found = _statistics(made, codes, source)
        return cls(made, images.shape[1:], latent, found)

    def encode(self, images: Tensor) -> Tensor:
        """(N, C, *S) to (N, D).

        Raises:
            InputError: images of another shape.
        """
        self.check(images)
        with torch.no_grad():
            codes: Tensor = self.made.encode(images)
        return codes.flatten(1)

    def decode(self, codes: Tensor) -> Tensor:
        """(N, D) to (N, C, *S)."""
        image: Tensor = self.made.decode(codes.reshape(len(codes), *self.latent))
        return image

    def sample(self, count: int, *, seed: int) -> Tensor:
        """(N, D) its own, or of a normal distribution with the statistics."""
        own = getattr(self.made, "sample", None)
        if own is not None:
            codes: Tensor = own(count, seed=seed)
            return codes.flatten(1)
        return super().sample(count, seed=seed)


def check_generator(made: Any, images: Tensor, source: str) -> tuple[int, ...]:
    """The shape of its codes, after asking it about a few images (N, C, *S), two or more.

    Raises:
        ModelError: encode or decode is missing, raises, or gives something of another shape, not finite, or different when
            it is asked again or about another batch; a sample that is no code.
    """
    for name in ("encode", "decode"):
        if not callable(getattr(made, name, None)):
            has = [n for n in ("encode", "decode", "sample", "statistics") if hasattr(made, n)]
            raise ModelError(
                f"generator {source}: {type(made).__name__} has no {name} (found {', '.join(has) or 'none'} of encode, "
                "decode, sample, statistics); expected encode(images) and decode(codes) at least"
            )
    codes = _coded(made, images, source)
    copies = _asked("decode", lambda: made.decode(codes), source)
    if copies.shape != images.shape:
        raise ModelError(
            f"generator {source}: decode(encode(x)) of images {tuple(images.shape)} gives {tuple(copies.shape)}, expected "
            "the images' shape"
        )
    _alike("encode", codes[:1], _coded(made, images[:1], source), source)
    _alike("decode", copies[:1], _asked("decode", lambda: made.decode(codes[:1]), source), source)
    latent = tuple(codes.shape[1:])
    if hasattr(made, "sample"):
        drawn = [_asked("sample", lambda: made.sample(2, seed=0), source) for _ in range(2)]
        if tuple(drawn[0].shape) != (2, *latent):
            raise ModelError(
                f"generator {source}: sample(2, seed=0) gives {tuple(drawn[0].shape)}, expected codes as encode gives, "
                f"{(2, *latent)}"
            )
        _alike("sample", drawn[0], drawn[1], source)
    return latent


def _coded(made: Any, images: Tensor, source: str) -> Tensor:
    codes = _asked("encode", lambda: made.encode(images), source)
    if codes.ndim < 2 or len(codes) != len(images):
        raise ModelError(
            f"generator {source}: encode of {len(images)} images gives {tuple(codes.shape)}, expected codes "
            f"({len(images)}, ...)"
        )
    return codes


def _asked(name: str, call: Callable[[], Any], source: str) -> Tensor:
    try:
        with torch.no_grad():
            found = call()
    except Exception as error:
        line = " ".join(str(error).split())[:160]
        raise ModelError(f"generator {source}: {name} raised {type(error).__name__}: {line}") from error
    if not isinstance(found, Tensor):
        raise ModelError(f"generator {source}: {name} gives {type(found).__name__}, expected one tensor")
    if not found.is_floating_point() or not bool(torch.isfinite(found).all()):
        raise ModelError(
            f"generator {source}: {name} gives numbers that are not finite, or no floats ({found.dtype})"
        )
    return found


def _alike(name: str, one: Tensor, other: Tensor, source: str) -> None:
    reach = float(one.abs().max()) + 1e-12
    gap = float((one - other).abs().max()) / reach
    if gap > 1e-3:
        raise ModelError(
            f"generator {source}: {name} gives something else when it is asked again or about fewer images (off by "
            f"{gap:.2g} of the largest number), expected one answer for one input; give the mean of a posterior, not a "
            "draw, and no statistics of the batch"
        )


def _statistics(made: Any, codes: Tensor, source: str) -> LatentStatistics:
    own = getattr(made, "statistics", None)
    if own is None:
        return LatentStatistics.of(codes, least=1e-4)
    own = own() if callable(own) else own
    mean, factor = (getattr(own, name, None) for name in ("mean", "factor"))
    length = math.prod(codes.shape[1:])
    if not isinstance(mean, Tensor) or not isinstance(factor, Tensor) or tuple(mean.shape) != (length,):
        found = f"{tuple(mean.shape)}" if isinstance(mean, Tensor) else type(own).__name__
        raise ModelError(
            f"generator {source}: statistics gives {found}, expected LatentStatistics(mean, factor) with mean ({length},) "
            f"and factor ({length}, R)"
        )
    return LatentStatistics(mean.detach().to(codes), factor.detach().to(codes))
