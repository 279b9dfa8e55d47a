"""What the three GP networks share: a backbone that takes any size, a read-out and a pool."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, Self, TypedDict, Unpack

from torch import nn

from voxplain.inherent.checks import require_counts, require_dims
from voxplain.inherent.classifier import EvidenceClassifier
from voxplain.inherent.networks.fitting import Fitted
from voxplain.inherent.pools import Pool


class Head(TypedDict, total=False):
    """The arguments that every GP network takes, beside its own; see `EvidenceClassifier`.

    Attributes:
        spatial_dims: 2 (by default) or 3.
        pool: by default the top 3 % of all places.
        pool_at: ``"after"`` (by default) or ``"before"`` the read-out.
        multi_label: whether the classes do not exclude each other; not by default.
    """

    spatial_dims: int
    pool: Pool | str
    pool_at: Literal["after", "before"]
    multi_label: bool


class GPNetwork(EvidenceClassifier):
    """A network of Chatterjee et al., doi:10.1016/j.neucom.2026.133460, in the exact form unless told otherwise.

    Args:
        in_channels: C.
        features: F.
        classes: K.
        backbone: makes the network (N, C, *S) -> (N, F, *S) of that many spatial dimensions.
        divisible, at_least: the sizes that it takes, see `Fitted`.
        head: how features become a decision.

    Attributes:
        released: what the released form has otherwise.

    Raises:
        InputError: an argument that cannot be.
    """

    released: ClassVar[Mapping[str, Any]] = {"pool": "max", "pool_at": "before"}

    def __init__(
        self,
        in_channels: int,
        features: int,
        classes: int,
        backbone: Callable[[int], nn.Module],
        *,
        divisible: int,
        at_least: int,
        **head: Unpack[Head],
    ) -> None:
        told: Head = {"spatial_dims": 2, **head}
        require_counts(in_channels=in_channels)
        require_dims(told["spatial_dims"])
        fitted = Fitted(backbone(told["spatial_dims"]), divisible=divisible, at_least=at_least)
        super().__init__(fitted, features, classes, **told)

    @classmethod
    def published(cls, in_channels: int = 4, classes: int = 3, **other: Any) -> Self:
        """The released 2-D form: max over space of every feature, then the read-out; not faithful."""
        return cls(in_channels, classes, **{**cls.released, **other})
