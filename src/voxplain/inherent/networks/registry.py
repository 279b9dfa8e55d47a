"""Networks by name."""

from __future__ import annotations

import inspect
from typing import Any

from voxplain.errors import InputError, suggest
from voxplain.inherent.networks.gp_network import GPNetwork, Head
from voxplain.inherent.networks.gp_recon_resnet import GPReconResNet
from voxplain.inherent.networks.gp_shuffle_unet import GPShuffleUNet
from voxplain.inherent.networks.gp_unet import GPUNet

NETWORKS: dict[str, type[GPUNet] | type[GPShuffleUNet] | type[GPReconResNet]] = {
    "gp_unet": GPUNet,
    "gp_shuffle_unet": GPShuffleUNet,
    "gp_recon_resnet": GPReconResNet,
}


def network_names() -> tuple[str, ...]:
    """Names that `make_network` knows."""
    return tuple(NETWORKS)


def make_network(
    name: str, in_channels: int, classes: int, *, published: bool = False, **parameters: Any
) -> GPNetwork:
    """A network by name.

    Args:
        name: of `network_names`; hyphens and capitals do not matter.
        in_channels: C.
        classes: K.
        published: the form of the paper, which is not faithful.
        parameters: see the network's class.

    Raises:
        InputError: an unknown name or parameter (the closest are suggested).

    >>> make_network("GP-UNet", 1, 3, widths=(4, 8), pool="max").faithful
    True
    """
    key = name.strip().lower().replace("-", "_")
    found = {k.replace("_", ""): n for k, n in NETWORKS.items()}.get(key.replace("_", ""))
    if found is None:
        raise InputError(f"network {name!r}: unknown; {suggest(key, NETWORKS)}")
    own = [p for p in inspect.signature(found).parameters if p not in ("in_channels", "classes", "head")]
    known = [*own, *Head.__annotations__]
    for parameter in parameters:
        if parameter not in known:
            raise InputError(
                f"network {name!r}: unknown parameter {parameter!r}; {suggest(parameter, known)}"
            )
    make = found.published if published else found
    return make(in_channels, classes, **parameters)
