"""nnU-Net's own classes, and which of them a model folder may name."""

from __future__ import annotations

import inspect
import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from pathlib import Path
from pydoc import locate
from typing import Any

from torch import nn

from voxplain.errors import ModelError
from voxplain.model.checks import first_line

_TRUSTED = ("dynamic_network_architectures.", "nnunetv2.", "torch.nn.")
_TRAINERS = "nnunetv2.training.nnUNetTrainer"


@contextmanager
def quiet() -> Iterator[None]:
    """Without what nnU-Net prints and warns of, such as what it misses of its environment, or how old plans are."""
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def load(name: str) -> Any:
    """A module of nnU-Net.

    Raises:
        ModelError: it is not installed.
    """
    try:
        with quiet():
            return import_module(name)
    except ImportError as error:
        raise ModelError(
            f"an nnU-Net folder is read by nnU-Net's own classes, which are not here ({first_line(error)}); "
            "pip install voxplain[nnunet]"
        ) from error


def plans_manager(plans: dict[str, Any]) -> Any:
    """nnU-Net's view of a plans.json."""
    return load("nnunetv2.utilities.plans_handling.plans_handler").PlansManager(plans)


def trainer(name: str, where: Path) -> Any:
    """A trainer's class, from nnU-Net's own package only.

    Its file is found by reading, not by importing all trainers in turn, of which some need more packages.

    Raises:
        ModelError: nnU-Net has no such trainer.
    """
    base = load(f"{_TRAINERS}.nnUNetTrainer").nnUNetTrainer
    root = Path(load(_TRAINERS).__path__[0])
    defines = re.compile(rf"^class {re.escape(name)}\b", re.MULTILINE)
    for file in sorted(root.rglob("*.py")):
        if defines.search(file.read_text(encoding="utf-8")):
            found = getattr(
                load(".".join([_TRAINERS, *file.relative_to(root).with_suffix("").parts])), name, None
            )
            if inspect.isclass(found) and issubclass(found, base):
                return found
    raise ModelError(
        f"nnU-Net folder {where}: trained by {name!r}, which is no trainer of the installed nnunetv2; put its file in "
        "nnunetv2/training/nnUNetTrainer (voxplain reads only installed trainers, not those of the environment variable "
        "nnUNet_extTrainer), or, if it changes the training but not the network, give the argument trainer=nnUNetTrainer "
        "(--set model.arguments.trainer=nnUNetTrainer)"
    )


def check_architecture(configuration: Any, where: Path) -> None:
    """Refuse plans that name other classes than those of nnU-Net's libraries: a name alone can run any code.

    Raises:
        ModelError: naming it.
    """
    kwargs: Mapping[str, Any] = configuration.network_arch_init_kwargs
    named = {"network_class_name": configuration.network_arch_class_name}
    named |= {key: kwargs.get(key) for key in configuration.network_arch_init_kwargs_req_import}
    for key, name in named.items():
        if name is not None and not _is_trusted(name):
            raise ModelError(
                f"{where}: {key} is {name!r}, which is no class of nnU-Net's libraries that are installed here; install "
                "what has it, and pass trust_code=True (--set model.trust_code=true) if you trust who made the plans"
            )


def _is_trusted(name: Any) -> bool:
    # a dotted name may lead through a module to somebody else's function
    found = locate(name) if isinstance(name, str) and name.startswith(_TRUSTED) else None
    return inspect.isclass(found) and f"{found.__module__}.".startswith(_TRUSTED)


def build(trainer_class: Any, plans: Any, configuration: Any, channels: int, heads: int) -> nn.Module:
    """The network as its trainer builds it for inference.

    Raises:
        ModelError: it cannot be built.
    """
    make = trainer_class.build_network_architecture
    try:
        with redirect_stdout(io.StringIO()):
            if "plans_manager" in inspect.signature(make).parameters:
                network = make(plans, configuration, channels, heads, enable_deep_supervision=False)
            else:  # before nnU-Net 2.7
                network = make(
                    configuration.network_arch_class_name,
                    configuration.network_arch_init_kwargs,
                    configuration.network_arch_init_kwargs_req_import,
                    channels,
                    heads,
                    enable_deep_supervision=False,
                )
    except Exception as error:
        raise ModelError(
            f"nnU-Net: {trainer_class.__name__} cannot build the network of these plans ({first_line(error)})"
        ) from error
    if not isinstance(network, nn.Module):
        raise ModelError(
            f"nnU-Net: {trainer_class.__name__} built {type(network).__name__}, expected a network"
        )
    return network
