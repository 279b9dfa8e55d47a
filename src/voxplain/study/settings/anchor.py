"""Making the paths in settings absolute, so that a settings file means the same from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from voxplain.settings.paths import anchored_path, anchored_source
from voxplain.study.settings.checks import method_spec


def anchored(settings: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """The settings with every relative path made absolute against ``base``.

    >>> anchored({"image": "scan.nii", "targets": ["mask:1:m.nii", "all"]}, Path("/data"))
    {'image': ['/data/scan.nii'], 'targets': ['mask:1:/data/m.nii', 'all']}
    """
    out = dict(settings)
    for key, change in (("image", anchored_path), ("targets", _target), ("methods", _method)):
        if key in out and out[key] is not None:
            items = out[key] if isinstance(out[key], list | tuple) else [out[key]]
            out[key] = [change(item, base) for item in items]
    if isinstance(out.get("regions"), str | list | tuple):  # of one case; those of a study are a mapping
        listed = [out["regions"]] if isinstance(out["regions"], str) else out["regions"]
        out["regions"] = [_division(one, base) for one in listed]
    for key in ("label", "mask", "out"):
        if key in out:
            out[key] = anchored_path(out[key], base)
    if isinstance(out.get("model"), str | Mapping):
        out["model"] = _model(out["model"], base)
    return out


def anchored_study(settings: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """The settings of a study with every relative path made absolute against ``base``."""
    out = anchored({k: v for k, v in settings.items() if k not in ("models", "cases")}, base)
    models, cases = settings.get("models"), settings.get("cases")
    if isinstance(models, Mapping):
        out["models"] = {name: _study_model(given, base) for name, given in models.items()}
    elif "models" in settings:
        out["models"] = models
    if isinstance(settings.get("regions"), Mapping):
        out["regions"] = _regions(settings["regions"], base)
    if isinstance(cases, str | Path):
        out["cases"] = anchored_path(cases, base)
    elif isinstance(cases, list | tuple | Mapping):
        # one case stands for a list of one, as one method does
        listed = [cases] if isinstance(cases, Mapping) else cases
        out["cases"] = [_case(given, base) for given in listed]
    elif "cases" in settings:
        out["cases"] = cases
    return out


def _regions(given: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Label images by case, and the files that baselines and methods may name."""
    out = dict(given)
    for key, change in (("of", _division), ("tables", _method), ("games", _game)):
        if out.get(key) is not None:
            items = out[key] if isinstance(out[key], list | tuple) else [out[key]]
            out[key] = [change(item, base) for item in items]
    return out


def _division(given: Any, base: Path) -> Any:
    if isinstance(given, Mapping):
        return {k: _division(v, base) if k == "source" else v for k, v in given.items()}
    return given if given in ("predicted", "label") else anchored_path(given, base)


def _game(given: Any, base: Path) -> Any:
    if isinstance(given, Mapping):
        return {k: _parameter(k, v, base) for k, v in given.items()}
    return _parameter("baseline", given, base)


def _study_model(given: Any, base: Path) -> Any:
    if not isinstance(given, str | Mapping):
        return given
    model = _model(given, base)
    return model | anchored({"targets": model["targets"]}, base) if model.get("targets") else model


def _case(given: Any, base: Path) -> Any:
    """``- scan.nii.gz`` is short for ``- {image: scan.nii.gz}``."""
    if isinstance(given, str | Path):
        given = {"image": str(given)}
    return anchored(given, base) if isinstance(given, Mapping) else given


def _model(given: Any, base: Path) -> dict[str, Any]:
    """``model: nets.py:unet`` is short for ``model: {source: nets.py:unet}``."""
    model = {"source": given} if isinstance(given, str) else dict(given)
    if "weights" in model:
        model["weights"] = anchored_path(model["weights"], base)
    if "source" in model:
        model["source"] = anchored_source(model["source"], base)
    if isinstance(model.get("classes"), str) and model["classes"].lower().endswith(".json"):
        model["classes"] = anchored_path(model["classes"], base)
    return model


def _target(target: Any, base: Path) -> Any:
    if isinstance(target, Mapping):
        return {k: anchored_path(v, base) if k in ("file", "mask") else v for k, v in target.items()}
    if not isinstance(target, str) or not target.strip().startswith("mask:"):
        return target
    kind, name, path = [*target.strip().split(":", 2), ""][:3]
    return f"{kind}:{name}:{anchored_path(path, base)}" if path else target


def _method(method: Any, base: Path) -> Any:
    """A baseline may be another case's file, ``case:FILE``; regions are a label image."""
    if isinstance(method, str):
        with suppress(ValueError):  # what cannot be read is refused later, with its path in the settings
            method = method_spec(method)
    if not isinstance(method, Mapping):
        return method
    return {key: _parameter(key, value, base) for key, value in method.items()}


def _parameter(key: Any, value: Any, base: Path) -> Any:
    if isinstance(value, list):
        return [_parameter(key, v, base) for v in value]
    if isinstance(value, str) and value.startswith("case:"):
        return f"case:{anchored_path(value.removeprefix('case:'), base)}"
    return anchored_path(value, base) if key == "regions" else value
