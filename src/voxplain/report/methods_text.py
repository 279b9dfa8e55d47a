"""A paragraph for the methods section of a paper: what CLAIM asks of explainability methods and their validation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from voxplain.report.templating import value

_SOFTWARE = ("torch", "monai", "numpy")


@dataclass(frozen=True)
class Described:
    """What the paragraph is made of.

    Attributes:
        models: name -> facts, as `Identity` has them.
        data: number of images.
        prepare: name -> steps between the file and the network, in words.
        windows: in words; empty where the network saw the whole image.
        targets: in words.
        score: which score was explained.
        methods: (title, parameters, source) of each.
        metrics: (title, parameters, source, nulls) of each.
        seed: of everything random.
        versions: of the software.
        cases: of the study.
        rule: how methods were compared; empty where they were not.
    """

    models: Mapping[str, Mapping[str, object]]
    prepare: Mapping[str, Sequence[str]]
    targets: Sequence[str]
    score: str
    methods: Sequence[tuple[str, Mapping[str, object], str]]
    windows: str = ""
    metrics: Sequence[tuple[str, Mapping[str, object], str, Sequence[str]]] = ()
    seed: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    cases: int = 1
    rule: str = ""


def paragraph(told: Described) -> str:
    """Plain text, references at the end."""
    return " ".join(
        [*_models(told), *_asked(told), *_methods(told), *_validation(told), *_software(told)]
    ) + _references(told)


def _models(told: Described) -> Iterable[str]:
    for name, facts in told.models.items():
        hashed = facts.get("weights SHA-256") or facts.get("file SHA-256")
        count = facts.get("parameters")
        size = f" with {count:,} parameters" if isinstance(count, int) else ""
        known = f" (weights SHA-256 {hashed})" if hashed else ""
        about = f", {facts['about']}" if facts.get("about") else ""
        yield f"We explained the network {name}{size}{known}{about}."
        steps = told.prepare.get(name, ())
        if steps:
            yield f"Images were prepared for it with MONAI: {', '.join(steps)}."
    if told.windows:
        yield f"The network slid over each image in {told.windows}."


def _asked(told: Described) -> Iterable[str]:
    on = f"{told.cases} images" if told.cases > 1 else "one image"
    shown = ", ".join(told.targets[:8]) + (
        f" and {len(told.targets) - 8} more" if len(told.targets) > 8 else ""
    )
    yield f"On {on}, the explained score was the {told.score.replace('_', ' ')} of {shown}."


def _methods(told: Described) -> Iterable[str]:
    for title, parameters, source in told.methods:
        set_to = _set(parameters)
        cited = f" ({source})" if source else ""
        yield f"{title}{cited} was used{f' with {set_to}' if set_to else ', which has no parameters'}."


def _validation(told: Described) -> Iterable[str]:
    if not told.metrics:
        yield "The maps were not validated."
        return
    for title, parameters, source, nulls in told.metrics:
        set_to = _set(parameters)
        beside = f", beside {' and '.join(nulls)}" if nulls else ""
        yield (
            f"Maps were judged by {title.lower()} ({source}{f'; {set_to}' if set_to else ''}){beside}."
            if source
            else f"Maps were judged by {title.lower()}{beside}."
        )
    if told.rule:
        yield told.rule


def _software(told: Described) -> Iterable[str]:
    others = ", ".join(f"{name} {told.versions[name]}" for name in _SOFTWARE if name in told.versions)
    own = f"voxplain {told.versions['voxplain']}" if "voxplain" in told.versions else "voxplain"
    yield f"All was done with {own}{f' ({others})' if others else ''} and the random seed {told.seed}."


def _references(told: Described) -> str:
    sources = dict.fromkeys(
        part.strip()
        for source in [*(m[2] for m in told.methods), *(m[2] for m in told.metrics)]
        for part in source.split(";")
        if part.strip()
    )
    lines = [f"[{n}] {source}" for n, source in enumerate(sources, start=1)]
    return "\n\nReferences\n" + "\n".join(lines) if lines else ""


def _set(parameters: Mapping[str, object]) -> str:
    given = {
        key.replace("_", " "): "default" if item is None else value(item) for key, item in parameters.items()
    }
    return ", ".join(f"{key} {item}" for key, item in given.items())
