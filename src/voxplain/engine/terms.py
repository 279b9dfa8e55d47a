"""A window's share of the targets: the linear map from window output to scores, and its adjoint.

Both directions are built from the same list of entries (output element, weight), so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.engine.layout import Layout
from voxplain.target.functional import Functional


@dataclass(frozen=True)
class Term:
    """One target's entries in one window.

    Attributes:
        target: index of the target.
        elements: (n,) indices into the flattened window output (K, *roi).
        weights: (n,) what each element is multiplied with.
        constant: the part of the score that does not depend on the output.
        voxels: (m,) flat indices into the window (*roi) of the region's voxels.
        blend: (m,) normalised blending weights there.
    """

    target: int
    elements: Tensor
    weights: Tensor
    constant: float
    voxels: Tensor
    blend: Tensor


class WindowTerms:
    """All targets that one window contributes to.

    Args:
        layout: the windows; ``None`` for a classifier, whose output has no place.
        functionals: the frozen scalars, ``None`` for those that are absent.
        wanted: which of them to build.
    """

    def __init__(
        self,
        layout: Layout | None,
        window: int,
        functionals: Sequence[Functional | None],
        wanted: Sequence[int],
    ) -> None:
        self.window = window
        self.functionals = functionals
        built = [
            _class_term(t, f) if layout is None else _region_term(t, f, layout, window)
            for t in wanted
            if (f := functionals[t]) is not None
        ]
        self.terms = [term for term in built if term is not None]

    def scores(self, z: Tensor) -> Tensor:
        """This window's share of the scores: raw output (B, K, *roi) -> (B, number of terms), double.

        A non-linear score is only right here where this window is the only one.
        """
        flat = z.detach().flatten(1)
        columns = []
        for term in self.terms:
            functional = self.functionals[term.target]
            assert functional is not None
            if functional.is_linear:
                picked = flat[:, term.elements.to(z.device)].double()
                columns.append((picked * term.weights.to(z.device)).sum(1) + term.constant)
            else:
                columns.append(torch.stack([_linked(functional, term, sample)[0] for sample in z.detach()]))
        return (
            torch.stack(columns, dim=1).cpu() if columns else torch.zeros(z.shape[0], 0, dtype=torch.float64)
        )

    def cotangent(self, term: Term, z: Tensor, linked: Tensor | None = None) -> Tensor:
        """``∂F_t/∂z`` of one sample's output ``z`` (K, *roi), of the same shape.

        Args:
            linked: (K, m) derivative of a non-linear score at the stitched output of the region's voxels in
                this window, blending weights not yet applied; computed from ``z`` alone where missing.
        """
        functional = self.functionals[term.target]
        assert functional is not None
        out = torch.zeros(z.shape, dtype=z.dtype, device=z.device)
        if functional.is_linear:
            out.view(-1).index_add_(0, term.elements.to(z.device), term.weights.to(z.device, z.dtype))
            return out
        if linked is None:
            linked = _linked(functional, term, z.detach())[1]
        weighted = linked.to(z.device, z.dtype) * term.blend.to(z.device, z.dtype)
        out.view(z.shape[0], -1)[:, term.voxels.to(z.device)] = weighted
        return out


def _linked(functional: Functional, term: Term, z: Tensor) -> tuple[Tensor, Tensor]:
    """A non-linear score and its derivative from one window's output alone: (), (K, m)."""
    return link_with_derivative(functional, z.reshape(z.shape[0], -1)[:, term.voxels.to(z.device)])


def link_with_derivative(functional: Functional, z: Tensor) -> tuple[Tensor, Tensor]:
    """``F = scale · Σ link(z)`` and ``∂F/∂z`` for outputs at the region's voxels (K, n): (), (K, n)."""
    leaf = z.detach().double().requires_grad_()
    with torch.enable_grad():
        value = functional.link(leaf).sum() * functional.scale
    return value.detach(), torch.autograd.grad(value, leaf)[0]


def _class_term(t: int, functional: Functional) -> Term:
    elements, weights = _channels(
        functional, torch.zeros(1, dtype=torch.long), torch.ones(1, dtype=torch.double), 1
    )
    one = torch.ones(1, dtype=torch.double)
    return Term(t, elements, weights, functional.constant, torch.zeros(1, dtype=torch.long), one)


def _region_term(t: int, functional: Functional, layout: Layout, window: int) -> Term | None:
    region = functional.region
    assert region is not None
    seen = layout.overlap_with(window)
    if seen is None or not region.touches(seen[0]):
        return None
    in_image, in_window = seen
    member = region.crop(in_image)
    inside = torch.zeros(layout.roi, dtype=torch.bool)
    inside[in_window] = member
    voxels = inside.flatten().nonzero()[:, 0]
    blend = layout.weight(window).flatten()[voxels].double()
    rival = None
    if isinstance(functional.rival, Tensor):
        full = torch.zeros(layout.roi, dtype=torch.long)
        full[in_window] = functional.rival[in_image].long()
        rival = full.flatten()[voxels]
    size = inside.numel()
    elements, weights = _channels(functional, voxels, blend, size, rival)
    return Term(
        t, elements, weights, functional.constant * functional.scale * float(blend.sum()), voxels, blend
    )


def _channels(
    functional: Functional, voxels: Tensor, blend: Tensor, size: int, rival: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Entries of a linear score: the class's channel, and for a margin the rival's with the opposite sign."""
    sign, channel = functional.sign_and_channel
    elements = voxels + channel * size
    weights = sign * functional.gain * functional.scale * blend
    if functional.score == "margin" and functional.rival is not None:
        other = rival if rival is not None else torch.full_like(voxels, int(functional.rival))
        elements = torch.cat([elements, voxels + other * size])
        weights = torch.cat([weights, -functional.scale * blend])
    return elements, weights
