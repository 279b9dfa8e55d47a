"""nnU-Net's own classes, and which of them a model folder may name."""

from __future__ import annotations

import inspect
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from pathlib import Path
from pydoc import ErrorDuringImport, locate
from typing import Any

from torch import nn

from voxplain.errors import ModelError
from voxplain.model.checks import first_line

_TRUSTED = ("dynamic_network_architectures.", "nnunetv2.", "torch.nn.")
_TRAINERS = "nnunetv2.training.nnUNetTrainer"
_ARCHITECTURES = "dynamic_network_architectures.architectures"


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

    Raises:
        ModelError: nnU-Net has no such trainer.
    """
    base = load(f"{_TRAINERS}.nnUNetTrainer").nnUNetTrainer
    for found in _defined(_TRAINERS, name):
        if issubclass(found, base):
            return found
    raise ModelError(
        f"nnU-Net folder {where}: trained by {name!r}, which is no trainer of the installed nnunetv2; put its file in "
        "nnunetv2/training/nnUNetTrainer (voxplain reads only installed trainers, not those of the environment variable "
        "nnUNet_extTrainer), or, if it changes the training but not the network, give the argument trainer=nnUNetTrainer "
        "(--set model.arguments.trainer=nnUNetTrainer)"
    )


def _defined(package: str, name: str) -> Iterator[type]:
    """The classes of a name in a package of nnU-Net.

    Their files are found by reading, not by importing all in turn, of which some need more packages.
    """
    root = Path(load(package).__path__[0])
    defines = re.compile(rf"^class {re.escape(name)}\b", re.MULTILINE)
    for file in sorted(root.rglob("*.py")):
        if defines.search(file.read_text(encoding="utf-8")):
            module = load(".".join([package, *file.relative_to(root).with_suffix("").parts]))
            found = getattr(module, name, None)
            if inspect.isclass(found):
                yield found


def settle_architecture(configuration: Any, where: Path, trust_code: bool) -> None:
    """Name the network's class as its library does today, and refuse others than those of nnU-Net's libraries.

    Args:
        configuration: nnU-Net's ConfigurationManager, in which a class that has moved gets its new name.
        where: the file of plans, for messages.
        trust_code: let it name anything: a name alone can run any code.

    Raises:
        ModelError: parts are missing, or naming what is refused.
    """
    try:
        kwargs = configuration.network_arch_init_kwargs
        named = {"network_class_name": configuration.network_arch_class_name}
        named |= {key: kwargs.get(key) for key in configuration.network_arch_init_kwargs_req_import}
    except KeyError as error:
        raise ModelError(f"{where}: no {error} in architecture, of which the network is built") from error
    except (AttributeError, TypeError) as error:
        raise ModelError(
            f"{where}: architecture is not as nnU-Net writes it ({first_line(error)}), expected network_class_name, "
            "arch_kwargs and a list _kw_requires_import"
        ) from error
    today = _renamed(named["network_class_name"], where)
    configuration.configuration["architecture"]["network_class_name"] = named["network_class_name"] = today
    for key, name in named.items():
        if not (trust_code or name is None or _is_network(_located(key, name, where))):
            raise ModelError(
                f"{where}: {key} is {name!r}, expected a torch.nn.Module of nnU-Net's libraries that are installed here; "
                "install what has it, and pass trust_code=True (--set model.trust_code=true) if you trust who made the plans"
            )


def _renamed(name: Any, where: Path) -> Any:
    """The name that a class of ``dynamic_network_architectures`` has now, of which some were moved between its files."""
    own = isinstance(name, str) and name.startswith(f"{_ARCHITECTURES}.")
    if not own or _located("network_class_name", name, where) is not None:
        return name
    for found in _defined(_ARCHITECTURES, name.split(".")[-1]):
        if _is_network(found):
            return f"{found.__module__}.{found.__qualname__}"
    return name


def _located(key: str, name: Any, where: Path) -> object:
    """What a name stands for, if it is one of nnU-Net's libraries; none where it is not or there is no such thing."""
    if not (isinstance(name, str) and name.startswith(_TRUSTED)):
        return None
    try:
        with quiet():
            return locate(name)
    except ErrorDuringImport as error:
        cause = error.value
        lacks = cause.name if isinstance(cause, ModuleNotFoundError) else None
        hint = f"; pip install {lacks.split('.')[0]}" if lacks else ""
        raise ModelError(
            f"{where}: {key} is {name!r}, whose module cannot be imported here ({first_line(cause or error)}){hint}"
        ) from error


def _is_network(found: object) -> bool:
    # a dotted name may lead through a module to somebody else's function, and other classes do more than compute
    return (
        inspect.isclass(found)
        and issubclass(found, nn.Module)
        and f"{found.__module__}.".startswith(_TRUSTED)
    )


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
