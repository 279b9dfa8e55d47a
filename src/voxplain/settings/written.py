"""Settings back to YAML."""

from __future__ import annotations

import yaml

from voxplain.settings.section import Section


def as_yaml(settings: Section, header: str) -> str:
    """The settings as YAML that does the same again from any folder."""
    comment = "".join(f"# {line}\n" for line in header.splitlines())
    return comment + yaml.safe_dump(
        settings.model_dump(mode="json", exclude_unset=True), sort_keys=False, allow_unicode=True, width=110
    )
