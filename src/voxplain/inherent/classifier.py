"""A classifier whose evidence map is the decision."""

from __future__ import annotations

from typing import Literal

import torch
from monai.networks.layers.factories import Conv
from torch import Tensor, nn

from voxplain.errors import InputError
from voxplain.inherent.checks import require_counts, require_dims
from voxplain.inherent.evidence import Explanation, explanation
from voxplain.inherent.pools import Pool, make_pool

PLACES = ("after", "before")


class EvidenceClassifier(nn.Module):
    """Features on the image's grid -> evidence per class and place (1×1 read-out) -> logits (pool).

    The logit is the pool of the evidence map, so that the map says all that was decided on, and the pool's
    `contribution` divides the logit among the places exactly. After GP-Unet (Dubost et al. 2017, arXiv:1705.07999).

    ``pool_at="before"`` pools every feature and then reads out, as the published GP-models do (Chatterjee et al.,
    doi:10.1016/j.neucom.2026.133460). Their map is the read-out of the features, but the logit is no function of it,
    unless the pool is the mean: such a model is not `faithful`, and `explain` tells what its map leaves unexplained.

    Args:
        backbone: (N, C, *S) -> (N, F, *S).
        features: F.
        classes: K, at least 1 (one logit: class against its absence).
        pool: a pool, or its text such as ``"topk:share=0.03"``.
        spatial_dims: 2 or 3.
        pool_at: ``"after"`` or ``"before"`` the read-out.
        multi_label: the classes do not exclude each other; for whoever makes a loss or probabilities of the logits.
        read_out: whether there is a 1×1 convolution; else the features are the evidence (F = K).

    Attributes:
        faithful: whether the logits are pooled from the evidence map.

    Raises:
        InputError: an argument that cannot be.

    >>> net = EvidenceClassifier(nn.Conv2d(1, 4, 3, padding=1), 4, 2, "max", spatial_dims=2)
    >>> answer = net.explain(torch.rand(1, 1, 9, 7))
    >>> answer.evidence.shape, bool((answer.contribution.sum((2, 3)) - answer.logits).abs().max() < 1e-5)
    (torch.Size([1, 2, 9, 7]), True)
    """

    def __init__(
        self,
        backbone: nn.Module,
        features: int,
        classes: int,
        pool: Pool | str = "topk:share=0.03",
        *,
        spatial_dims: int,
        pool_at: Literal["after", "before"] = "after",
        multi_label: bool = False,
        read_out: bool = True,
    ) -> None:
        super().__init__()
        _require(features, classes, spatial_dims, pool_at, read_out)
        self.backbone = backbone
        self.readout: nn.Module = (
            Conv[Conv.CONV, spatial_dims](features, classes, 1) if read_out else nn.Identity()
        )
        self.pool = make_pool(pool)
        self.features, self.classes, self.spatial_dims = features, classes, spatial_dims
        self.pool_at, self.multi_label = pool_at, multi_label

    @property
    def faithful(self) -> bool:
        """Whether the logits are a function of the evidence map."""
        return self.pool_at == "after"

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits (N, K) of images (N, C, *S), pooled inside the mask (N, 1, *S) bool."""
        return self.logits_and_evidence(x, mask)[0]

    def evidence(self, x: Tensor) -> Tensor:
        """The evidence map, (N, K, *S) on the input's grid."""
        found: Tensor = self.readout(self._features(x))
        return found

    def logits_and_evidence(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Both from one pass, with gradients: for losses that ask something of the map, too."""
        features = self._features(x)
        evidence = self.readout(features)
        if self.faithful:
            return self.pool(evidence, mask), evidence
        pooled = self.pool(features, mask)
        return self.readout(pooled[(..., *(None,) * self.spatial_dims)]).flatten(1), evidence

    @torch.no_grad()
    def explain(self, x: Tensor, mask: Tensor | None = None) -> Explanation:
        """The decision, its map and what the map leaves unexplained; in the mode (train, eval) that the network is in."""
        logits, evidence = self.logits_and_evidence(x, mask)
        contribution = self.pool.contribution(evidence, mask)
        return explanation(logits, evidence, contribution, faithful=self.faithful)

    def _features(self, x: Tensor) -> Tensor:
        if x.ndim != self.spatial_dims + 2:
            raise InputError(
                f"{type(self).__name__}: found an input of shape {tuple(x.shape)}, expected (N, C, *spatial) with "
                f"{self.spatial_dims} spatial axes"
            )
        found = self.backbone(x)
        expected = (x.shape[0], self.features, *x.shape[2:])
        if not isinstance(found, Tensor) or tuple(found.shape) != expected:
            shown = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise InputError(f"{type(self.backbone).__name__}: its features are {shown}, expected {expected}")
        return found


def _require(features: int, classes: int, spatial_dims: int, pool_at: str, read_out: bool) -> None:
    require_counts(features=features, classes=classes)
    require_dims(spatial_dims)
    if pool_at not in PLACES:
        raise InputError(f"pool_at: found {pool_at!r}, expected 'after' or 'before' (the read-out)")
    if not read_out and features != classes:
        raise InputError(
            f"read_out=False: found {features} features and {classes} classes, expected as many of one as of the other"
        )
    if not read_out and pool_at == "before":
        raise InputError("pool_at='before': there is no read-out to pool before; give read_out=True")
