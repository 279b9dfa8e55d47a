"""From settings to the things of the public API: case, model, targets, methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from voxplain.errors import InputError, ModelError, TargetError, suggest
from voxplain.study.quick import quick
from voxplain.study.settings.checks import ALL

if TYPE_CHECKING:
    from voxplain.attribution.method import Method
    from voxplain.case import Case
    from voxplain.metric import Metric
    from voxplain.model import Model
    from voxplain.settings.prepare import PrepareSettings
    from voxplain.study.settings.config import ExplainSettings, MethodSpec, ModelSettings, WindowSettings
    from voxplain.target import Target


def make_case(settings: ExplainSettings) -> Case:
    """Read the image, and its label where there is one."""
    from voxplain.case import parse_slice, read_case, take_slice

    paths = list(settings.image)
    case = read_case(
        paths[0] if len(paths) == 1 else paths,
        label=settings.label,
        id=settings.id,
        series=settings.series,
        fill_nan=settings.fill_nan,
    )
    return case if settings.slice is None else take_slice(case, *parse_slice(settings.slice))


def make_model(settings: ExplainSettings) -> Model:
    """Load the network with its preparation and windows."""
    return load(settings.model, settings.prepare, settings.windows)


def load(
    asked: ModelSettings, prepare: PrepareSettings | None = None, windows: WindowSettings | None = None
) -> Model:
    """Load the network; a bundle's own steps hold where none were asked for, and its windows field by field."""
    from voxplain.model import Preparation, Windows, load_model

    steps = {} if prepare is None else prepare.model_dump(exclude_unset=True)
    sliding = {} if windows is None else windows.model_dump(exclude_unset=True)
    is_bundle = Path(asked.source).is_dir()
    model = load_model(
        asked.source,
        asked.weights,
        classes=list(asked.classes) if isinstance(asked.classes, tuple) else asked.classes,
        task=asked.task,
        output=asked.output,
        head=asked.head,
        prepare=Preparation(**steps) if steps else None,
        windows=Windows(**sliding) if sliding and not is_bundle else None,
        device=device(asked.device),
        precision=asked.precision,
        spatial_dims=asked.spatial_dims,
        trust_code=asked.trust_code,
        factory_arguments=asked.arguments or None,
        resize_output=asked.resize_output,
        label_values=asked.label_values,
    )
    if is_bundle:
        model.windows = replace(model.windows, **sliding)
    return model


def device(asked: str) -> str:
    """``auto`` as the device that is here."""
    if asked != "auto":
        return asked
    import torch

    return "cuda:0" if torch.cuda.is_available() else "cpu"


def make_targets(settings: ExplainSettings, model: Model) -> list[Target | str]:
    """The targets that were asked for; without any, all classes or the class that is predicted."""
    try:
        task = model.task
    except ModelError:
        # small random inputs did not tell; the Problem learns the task from the image
        return texts_of(settings.targets, settings.score, settings.reduce)
    asked = settings.targets or (("all",) if task == "segmentation" else ("predicted",))
    mask = str(settings.mask) if settings.mask else None
    return [make_target(t, task=task, score=settings.score, reduce=settings.reduce, mask=mask) for t in asked]


def make_target(
    asked: Any, *, task: str, score: str = "logit", reduce: str = "mean", mask: str | None = None
) -> Target:
    """A target from text in the grammar, or from a mapping: ``{kind: boundary, class: liver, width: 2}``."""
    from voxplain.target import parse_target

    if isinstance(asked, Mapping):
        return _from_mapping(asked, score, reduce)
    if isinstance(asked, bool) or not isinstance(asked, str | int):
        raise TargetError(f"found {asked!r}, expected text such as 'all' or 'boundary:liver:2', or a mapping")
    text = str(asked)
    if text.startswith("mask:") and text.count(":") == 1:
        # a file that is not known yet (while settings are being checked) is asked for when it is needed
        text = f"{text}:{mask or 'mask'}"
    return parse_target(text, task=task, score=score, reduce=reduce)


def make_method(spec: MethodSpec) -> Method:
    """A method with its parameters."""
    from voxplain.attribution.method import find, method

    return method(spec.name, **coerced(find(spec.name), spec.parameters))


@dataclass(frozen=True)
class Asked:
    """A method to run; an optional one, which ``all`` stands for, may be refused without being missed."""

    method: Method
    spec: MethodSpec
    optional: bool = False


def make_methods(specs: Sequence[MethodSpec]) -> list[Asked]:
    """The methods that were asked for; ``all`` stands for those that are not named themselves."""
    from voxplain.attribution.method import FAMILIES, find, methods
    from voxplain.study.settings.config import MethodSpec

    named = {find(s.name).name for s in specs if s.name != ALL}
    known = sorted(methods().values(), key=lambda m: (*FAMILIES, m.family).index(m.family))
    asked: dict[str, Asked] = {}
    for number, spec in enumerate(specs):
        if spec.name != ALL:
            asked[f"{number}"] = Asked(make_method(spec), spec)
            continue
        family = spec.parameters.get("family")
        for found in known:
            if found.name not in named and family in (None, found.family):
                less = quick(found) if spec.parameters.get("effort") == "quick" else {}
                own = MethodSpec(name=found.name, **less)
                asked.setdefault(found.name, Asked(make_method(own), own, optional=True))
    return list(asked.values())


def check_all(spec: MethodSpec) -> None:
    """Raise InputError where ``all`` is followed by anything but a known family and effort."""
    from voxplain.attribution.method import FAMILIES

    choices: dict[str, Sequence[str]] = {"family": FAMILIES, "effort": ("full", "quick")}
    for key, value in spec.parameters.items():
        if key not in choices:
            raise InputError(f"method all: unknown parameter {key!r}; {suggest(key, choices)}")
        if value not in choices[key]:
            raise InputError(f"method all: found {key}={value!r}; {suggest(str(value), choices[key])}")


def make_metric(spec: MethodSpec) -> Metric:
    """A metric with its parameters."""
    from voxplain.metric import metric, metrics

    name = spec.name.strip().lower().replace("-", "_")
    known = metrics()
    if name not in known:
        raise InputError(f"metric {spec.name!r}: unknown; {suggest(name, known)}")
    hints = get_type_hints(known[name])
    given = {
        k: _coerced(f"metric {name}: {k}", v, hints[k]) if k in hints else v
        for k, v in spec.parameters.items()
    }
    return metric(name, **given)


@dataclass(frozen=True)
class AskedMetric:
    """A metric to judge by; an optional one, which ``all`` stands for, may be refused without being missed."""

    metric: Metric
    spec: MethodSpec
    optional: bool = False


def make_metrics(specs: Sequence[MethodSpec]) -> list[AskedMetric]:
    """The metrics that were asked for; ``all`` stands for those that are not named themselves."""
    from voxplain.metric import metrics
    from voxplain.metric.metric import FAMILIES
    from voxplain.study.settings.config import MetricSpec

    named = {make_metric(s).name for s in specs if s.name != ALL}
    known = sorted(metrics().values(), key=lambda m: (*FAMILIES, m.family).index(m.family))
    asked: dict[str, AskedMetric] = {}
    for spec in specs:
        if spec.name != ALL:
            made = make_metric(spec)
            asked[made.name] = AskedMetric(made, spec)
            continue
        for found in known:
            if found.name not in named and spec.parameters.get("family") in (None, found.family):
                own = MetricSpec(name=found.name)
                asked.setdefault(found.name, AskedMetric(make_metric(own), own, optional=True))
    return list(asked.values())


def check_all_metrics(spec: MethodSpec) -> None:
    """Raise InputError where ``all`` is followed by anything but a known family."""
    from voxplain.metric.metric import FAMILIES

    for key, value in spec.parameters.items():
        if key != "family":
            raise InputError(f"metric all: unknown parameter {key!r}; {suggest(key, ['family'])}")
        if value not in FAMILIES:
            raise InputError(f"metric all: found family={value!r}; {suggest(str(value), FAMILIES)}")


def coerced(method: type[Method], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters in the types that the method declares; ``layer=3`` names a layer, though YAML reads a number.

    Raises:
        InputError: a value of another type.
    """
    hints = get_type_hints(method)
    return {
        k: _coerced(f"method {method.name}: {k}", v, hints[k]) if k in hints else v
        for k, v in parameters.items()
    }


def _coerced(where: str, value: Any, hint: Any) -> Any:
    adapter = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
    tries = [value] if isinstance(value, str | list | dict | None) else [value, str(value)]
    for tried in tries:
        try:
            return adapter.validate_python(tried)
        except ValidationError as error:
            reason = error.errors()[-1]["msg"]
    raise InputError(f"{where}: found {value!r}; {reason[0].lower()}{reason[1:]}")


def _from_mapping(asked: Mapping[str, Any], score: str, reduce: str) -> Target:
    from voxplain.target import targets

    kinds: dict[str, Any] = {
        "all": targets.AllClasses,
        "class": targets.ClassScore,
        "predicted": targets.PredictedRegion,
        "label": targets.LabelRegion,
        "component": targets.Component,
        "fp": targets.FalsePositives,
        "fn": targets.FalseNegatives,
        "boundary": targets.Boundary,
        "voxel": targets.Voxel,
        "mask": targets.Mask,
    }
    kind = str(asked.get("kind", ""))
    if kind not in kinds:
        raise TargetError(f"target kind: found {kind!r}; {suggest(kind, kinds)}")
    words = {"class": "class_name", "file": "mask"}
    keys = {
        words.get(str(k), str(k)): tuple(v) if isinstance(v, list) else v
        for k, v in asked.items()
        if k != "kind"
    }
    known = [f.name for f in fields(kinds[kind])]
    for key in keys:
        if key not in known:
            shown = [{v: k for k, v in words.items()}.get(name, name) for name in known]
            raise TargetError(f"target {kind}: unknown key {key!r}; {suggest(key, shown)}")
    target: Target = kinds[kind](**{"score": score, "reduce": reduce, **keys})
    return target


def texts_of(targets: Sequence[Any], score: str, reduce: str) -> list[Target | str]:
    """Targets as texts, for a model whose task is not known before it has seen the image.

    Raises:
        InputError: they cannot be said in texts.
    """
    texts = [t for t in targets if isinstance(t, str)]
    if not texts or len(texts) < len(targets) or reduce != "mean":
        raise InputError(
            "model.task: it cannot be found out before the network runs on this image; "
            "give it as task: segmentation or task: classification"
        )
    return [t if "@" in t else f"{t}@{score}" for t in texts]
