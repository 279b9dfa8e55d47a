"""What is true of the settings of every command."""

import pytest
from pydantic import BaseModel

from voxplain.counterfactual.settings import CounterfactualSettings
from voxplain.inherent.settings import InherentSettings
from voxplain.simulator.settings import SimulatorSettings
from voxplain.study.settings.config import ExplainSettings
from voxplain.study.settings.study_config import StudySettings

ROOTS = (InherentSettings, SimulatorSettings, CounterfactualSettings, ExplainSettings, StudySettings)


def sections(root: type[BaseModel]) -> list[tuple[str, BaseModel]]:
    """The sections that a file may leave out, by name, with what holds then."""
    found = {name: field.get_default(call_default_factory=True) for name, field in root.model_fields.items()}
    return [(name, default) for name, default in found.items() if isinstance(default, BaseModel)]


@pytest.mark.parametrize("root", ROOTS)
def test_a_section_that_is_begun_has_the_defaults_of_one_that_is_left_out(root):
    """Otherwise one key of a section would change its other ones in silence."""
    assert sections(root)
    for name, default in sections(root):
        assert default == type(default)(), name


def test_a_key_of_prepare_leaves_scaling_on():
    asked = InherentSettings.model_validate({"data": {"source": "."}, "prepare": {"divisible": 4}})
    assert asked.prepare.scale == "zscore"
    asked = InherentSettings.model_validate({"data": {"source": "."}, "prepare": {"scale": None}})
    assert asked.prepare.scale is None
