"""Imports zennit and pytorch_grad_cam where torchvision is not installed.

Both import torchvision at once, but what the tests ask of them never calls it. There is no torchvision for every
build of torch, and voxplain needs none; so an empty one stands in while they are imported, and only then: MONAI
and others look for torchvision later and must not find a fake.

    from torchvision_stand_in import peer, torchvision_stand_in

    zennit = peer("zennit")
    with torchvision_stand_in():
        from pytorch_grad_cam import GradCAM
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

# what the peers import from torchvision by name: classes to compare with, and functions that nobody calls
NAMES = {
    "torchvision": (),
    "torchvision.ops": ("box_iou",),
    "torchvision.models": (),
    "torchvision.models.resnet": ("BasicBlock", "Bottleneck"),
    "torchvision.transforms": ("Compose", "Normalize", "ToTensor"),
    "torchvision.transforms.functional": ("resize",),
}


@contextmanager
def torchvision_stand_in() -> Iterator[None]:
    """Imports inside find a torchvision; afterwards everything is as it was. A real one that is loaded stays."""
    if "torchvision" in sys.modules:
        yield
        return
    sys.modules.update(_fakes())
    try:
        yield
    finally:
        for name in NAMES:
            sys.modules.pop(name, None)


def peer(name: str) -> ModuleType:
    """A module of zennit or pytorch_grad_cam, such as ``zennit.rules``."""
    with torchvision_stand_in():
        return import_module(name)


def _fakes() -> dict[str, ModuleType]:
    fakes = {name: ModuleType(name) for name in NAMES}
    for name, inside in NAMES.items():
        parent, _, own = name.rpartition(".")
        if parent:
            setattr(fakes[parent], own, fakes[name])
        for used in inside:
            setattr(fakes[name], used, type(used, (), {"__module__": name, "__init__": _never}))
    return fakes


def _never(self: object, *_: object, **__: object) -> None:
    raise NotImplementedError(f"{type(self).__name__} of the torchvision stand-in: tests must not call it")
