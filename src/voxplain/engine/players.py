"""Who owns which voxel in a game of present and absent parts of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.engine.layout import Layout
from voxplain.engine.plan import Plan
from voxplain.errors import InputError
from voxplain.target.region import Region


@dataclass(frozen=True)
class Player:
    """What is present or absent as a whole: a region of all channels, a whole channel, or a channel's region.

    Attributes:
        region: its voxels; the whole image by default.
        channel: its channel; all of them by default.
    """

    region: Region | None = None
    channel: int | None = None


def owners(plan: Plan, padded: Tensor, baseline: Tensor, players: Sequence[Player]) -> Tensor:
    """1 + the player that owns each voxel of the padded image, 0 for nobody: (C or 1, *padded) int32.

    Voxels that equal the baseline are nobody's: to hide them changes nothing, so no window runs again for it.

    Raises:
        InputError: two players own the same voxel.
    """
    layout = plan.layout
    shape = plan.shape if layout is None else layout.shape
    channels = 1 if all(p.channel is None for p in players) else padded.shape[0]
    owner = torch.zeros((channels, *shape), dtype=torch.int32)
    for number, player in enumerate(players, 1):
        _claim(owner, number, player)
    if layout is not None and layout.is_padded:
        owner = _padded(layout, owner)
    same = padded == baseline
    owner[same if channels > 1 else same.all(0, keepdim=True)] = 0
    return owner


def _padded(layout: Layout, owner: Tensor) -> Tensor:
    """Padding that repeats the image repeats its owners; constant padding is nobody's."""
    if layout.windows.padding != "constant":
        return layout.pad(owner.double()).int()
    out = torch.zeros((len(owner), *layout.padded), dtype=torch.int32)
    layout.unpad(out)[:] = owner
    return out


def _claim(owner: Tensor, number: int, player: Player) -> None:
    """Enter a player into the map of owners."""
    channels = slice(None) if player.channel is None else slice(player.channel, player.channel + 1)
    if player.region is None:
        view, mine = owner[channels], torch.ones(owner.shape[1:], dtype=torch.bool)
    else:
        view = owner[(channels, *player.region.bounds)]
        mine = player.region.crop(player.region.bounds)
    taken = int(view[:, mine].amax()) if bool(mine.any()) else 0
    if taken:
        raise InputError(
            f"regions: numbers {taken - 1} and {number - 1} share voxels, expected regions that do not overlap"
        )
    view.masked_fill_(mine, number)
