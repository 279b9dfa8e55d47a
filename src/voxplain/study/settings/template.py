"""Settings as YAML: the resolved ones of a run, and a commented file with every default."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml
from pydantic import BaseModel

from voxplain.settings.template import commented
from voxplain.study.settings.config import ExplainSettings
from voxplain.study.settings.study_config import StudyCase, StudyModel, StudySettings


def resolved(settings: ExplainSettings, folder: Path, header: str) -> str:
    """The settings as YAML text that runs the same again from ``folder``, where it is to be written."""
    plain = settings.model_dump(mode="json")
    if Path(settings.model.source).is_dir():
        # a bundle's own steps and windows hold where nothing was asked for, so defaults must not be written
        plain["prepare"] = settings.prepare.model_dump(mode="json", exclude_unset=True)
        plain["windows"] = settings.windows.model_dump(mode="json", exclude_unset=True)
    if settings.out.resolve() == folder.resolve():
        plain["out"] = "."
    comment = "".join(f"# {line}\n" for line in header.splitlines())
    return comment + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110)


def resolved_study(settings: StudySettings, header: str) -> str:
    """The settings of a study as YAML text that runs the same again from its folder; what is a default stays one."""
    plain = settings.model_dump(mode="json", exclude_unset=True) | {"out": "."}
    comment = "".join(f"# {line}\n" for line in header.splitlines())
    return comment + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110)


def template() -> str:
    """A commented YAML with every field, its default, unit and description."""
    return "\n".join(
        [
            "# Settings of `voxplain explain --config FILE`: only image and source are no defaults.",
            "# Delete what you do not change. Relative paths are relative to this file.",
            "",
            *_lines(ExplainSettings),
            "",
        ]
    )


def study_template() -> str:
    """A commented YAML of a study of one model and one case."""
    return "\n".join(
        [
            "# Settings of `voxplain study FILE`: only models and cases are no defaults.",
            "# Delete what you do not change. Relative paths are relative to this file.",
            "",
            *_lines(StudySettings),
            "",
        ]
    )


def _one_model(indent: str) -> Iterator[str]:
    yield f"{indent}unet:  # a name of your own; more models stand below, each with these keys"
    yield from _lines(StudyModel, indent + "  ")


def _one_case(indent: str) -> Iterator[str]:
    """A list's only item: a dash before its first key, after the comment on that."""
    is_first = True
    for line in _lines(StudyCase, indent + "  "):
        is_key = not line.lstrip().startswith("#")
        yield f"{indent}- {line.lstrip()}" if is_first and is_key else line
        is_first = is_first and not is_key


_EXAMPLE_ITEMS = {"models": _one_model, "cases": _one_case}
_EXAMPLES = {"source": "nets.py:unet", "image": "scan.nii.gz"}


def _lines(section: type[BaseModel], indent: str = "") -> Iterator[str]:
    return commented(section, indent, examples=_EXAMPLES, items=_EXAMPLE_ITEMS)
