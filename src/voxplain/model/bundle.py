"""MONAI bundles: a folder that says how its network is built, fed, slid and read."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from voxplain.errors import InputError, ModelError
from voxplain.model import bundle_safety, torchscript, weights
from voxplain.model.checks import first_line
from voxplain.model.custom import KEY
from voxplain.model.preparation import Preparation
from voxplain.model.windows import Windows

if TYPE_CHECKING:
    from voxplain.model.model import Output

# reading and typing are ours, writing nobody's
_OURS = frozenset(
    [
        "LoadImage",
        "EnsureChannelFirst",
        "AsChannelFirst",
        "AddChannel",
        "EnsureType",
        "ToTensor",
        "ToDevice",
        "SaveImage",
    ]
)
# parts of the names that bundles give their labels
_LABELS = ("label", "seg", "mask")


@dataclass(frozen=True)
class Bundle:
    """What a bundle says."""

    module: nn.Module
    prepare: Preparation
    windows: Windows
    classes: tuple[str, ...] | None
    output: Output | None


def load(
    folder: Path,
    device: torch.device,
    own_weights: Path | None,
    trust_code: bool,
    prepare: Preparation | None,
    windows: Windows | None,
) -> Bundle:
    """Read a bundle.

    Args:
        folder: with ``configs/inference.json`` (or ``.yaml``) and ``models/model.pt`` (or ``.ts``).
        device: put in place of the configuration's own.
        own_weights: instead of the bundle's.
        trust_code: run its expressions and foreign classes.
        prepare: instead of its preprocessing.
        windows: instead of its inferer.

    Raises:
        ModelError: parts are missing, would run code, or do not fit.
    """
    config = _Config(folder, device, trust_code)
    return Bundle(
        module=_network(config, folder, own_weights, device),
        prepare=prepare or _preparation(config),
        windows=windows or _windows(config),
        classes=_classes(folder),
        output=_output(config),
    )


class _Config:
    """The inference configuration, of which only the parts that are asked for are built."""

    def __init__(self, folder: Path, device: torch.device, trust_code: bool) -> None:
        from monai.bundle import ConfigParser

        found = [p for s in ("json", "yaml", "yml") if (p := folder / "configs" / f"inference.{s}").is_file()]
        if not found:
            raise ModelError(
                f"bundle {folder}: no configs/inference.json or .yaml; expected a MONAI bundle folder"
            )
        self.where = str(found[0])
        self.trust_code = trust_code
        try:
            self.parser = ConfigParser()
            self.parser.read_config(self.where)
            if "device" in self.parser.get():
                self.parser["device"] = str(device)
            self.parser.parse()
        except Exception as error:
            raise ModelError(f"bundle {self.where}: not readable ({first_line(error)})") from error
        self.raw: dict[str, Any] = self.parser.get()

    def at(self, part: str) -> Any:
        """The configuration at an id, references followed; none where absent."""
        try:
            found = bundle_safety.lookup(self.raw, part, self.where)
        except ModelError:
            return None
        return self.at(found[1:]) if isinstance(found, str) and found.startswith("@") else found

    def build(self, part: str) -> Any:
        """The value or object that an id stands for.

        Raises:
            ModelError: it would run code, or fails.
        """
        if not self.trust_code:
            bundle_safety.check(self.raw, [part], self.where)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # MONAI's about its own defaults
                return self.parser.get_parsed_content(part)
        except Exception as error:
            cause = error.__cause__ or error
            raise ModelError(f"bundle {self.where}: {part} cannot be built ({first_line(cause)})") from error

    def steps(self, part: str) -> list[tuple[str, str, Mapping[str, Any]]]:
        """Id, short name and configuration of each transform of a Compose."""
        content = self.at(part)
        below = f"{part}#transforms" if isinstance(content, Mapping) else part
        items = self.at(below)
        out = []
        for i in range(len(items) if isinstance(items, list) else 0):
            step = self.at(f"{below}#{i}")
            if isinstance(step, Mapping):
                target = str(step.get("_target_", "")).rpartition(".")[2]
                out.append((f"{below}#{i}", re.sub(r"(Dict|D|d)$", "", target), step))
            else:
                out.append((f"{below}#{i}", str(step)[:40], {}))
        return out


def _network(config: _Config, folder: Path, own_weights: Path | None, device: torch.device) -> nn.Module:
    models = folder / "models"
    part = next((p for p in ("network_def", "network") if config.at(p) is not None), None)
    if part is None:
        if (models / "model.ts").is_file():
            return torchscript.load(models / "model.ts", device)
        raise ModelError(f"bundle {config.where}: neither network_def nor network, and no models/model.ts")
    network = config.build(part)
    if not isinstance(network, nn.Module):
        raise ModelError(f"bundle {config.where}: {part} is {type(network).__name__}, expected a network")
    known = [models / f"model.{suffix}" for suffix in ("pt", "safetensors", "pth")]
    file = own_weights or next((p for p in known if p.is_file()), None)
    if file is None:
        raise ModelError(
            f"bundle {folder}: no models/model.pt; download the bundle with its weights, or pass weights=…"
        )
    weights.load_weights(network, file, config.trust_code)
    return network


def _preparation(config: _Config) -> Preparation:
    from monai.transforms import Compose, MapTransform

    key = _image_key(config)
    chosen = []
    for part, name, _ in config.steps("preprocessing"):
        if name in _OURS:
            continue
        step = config.build(part)
        if isinstance(step, MapTransform):
            if _is_about_labels(step.keys, key, f"bundle {config.where}: {part} ({name})"):
                continue
            for attribute, value in vars(step).items():
                if isinstance(value, str) and value == key:
                    setattr(step, attribute, KEY)
            step.keys = (KEY,)
        if step is not None:
            chosen.append(step)
    return Preparation(transforms=Compose(chosen)) if chosen else Preparation()


def _is_about_labels(keys: Collection[Hashable], image: str, step: str) -> bool:
    """Whether a step leaves the image alone.

    Raises:
        ModelError: it works on what is neither the image nor labels, such as a second image.
    """
    others = [str(key) for key in keys if key != image]
    foreign = [key for key in others if not any(word in key.casefold() for word in _LABELS)]
    if foreign:
        raise ModelError(
            f"{step} works on {', '.join(map(repr, foreign))}, but the image is {image!r}; pass prepare=… instead, "
            "for one image with all its channels"
        )
    return image not in keys


def _image_key(config: _Config) -> str:
    for part, _, step in config.steps("preprocessing"):
        if "keys" in step:
            keys = config.build(f"{part}#keys")
            return str(keys if isinstance(keys, str) else next(iter(keys)))
    return KEY


def _windows(config: _Config) -> Windows:
    inferer = config.at("inferer")
    name = (
        str(inferer.get("_target_", "")).rpartition(".")[2]
        if isinstance(inferer, Mapping)
        else "SimpleInferer"
    )
    if name == "SimpleInferer":
        return Windows()
    if not name.startswith("SlidingWindowInferer"):
        raise ModelError(f"bundle {config.where}: inferer {name!r} is not known; pass windows=… instead")
    names = {
        "roi_size": "roi",
        "overlap": "overlap",
        "mode": "blend",
        "sigma_scale": "sigma_scale",
        "padding_mode": "padding",
        "cval": "padding_value",
    }
    given = {ours: config.build(f"inferer#{theirs}") for theirs, ours in names.items() if theirs in inferer}
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    try:
        return Windows(**values)
    except (InputError, TypeError) as error:
        raise ModelError(f"bundle {config.where}: inferer: {error}") from error


def _output(config: _Config) -> Output | None:
    for part, name, step in config.steps("postprocessing"):
        if name != "Activations":
            continue
        for kind in ("softmax", "sigmoid"):
            value = config.build(f"{part}#{kind}") if kind in step else False
            if value is True or (isinstance(value, list) and value[:1] == [True]):
                return "softmax" if kind == "softmax" else "sigmoid"
    return None


def _classes(folder: Path) -> tuple[str, ...] | None:
    """Names from the metadata, where they are there and as many as the channels."""
    file = folder / "configs" / "metadata.json"
    if not file.is_file():
        return None
    try:
        outputs = json.loads(file.read_text(encoding="utf-8"))["network_data_format"]["outputs"]
        entry = outputs.get("pred") or next(iter(outputs.values()))
        named = {int(key): str(name) for key, name in entry["channel_def"].items()}
        channels = int(entry.get("num_channels", len(named)))
    except (KeyError, ValueError, TypeError, AttributeError, StopIteration):
        return None
    names = tuple(named[i] for i in sorted(named))
    if sorted(named) != list(range(len(named))) or (channels > 1 and channels != len(names)):
        warnings.warn(
            f"bundle {folder}: its metadata names {len(names)} classes for {channels} channels, so the names are left "
            "out; pass classes=…",
            stacklevel=2,
        )
        return None
    return names or None
