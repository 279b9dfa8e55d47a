"""Divisions of an image into regions."""

from __future__ import annotations

import pytest
import torch

from voxplain.aggregate.partition import Partition
from voxplain.errors import InputError
from voxplain.study.settings.region_config import RegionSettings
from voxplain.study.working.regions import _own


def four() -> Partition:
    labels = torch.tensor([[0, 1], [2, 3]], dtype=torch.int32)
    return Partition("p", labels, ("bg", "left", "right", "both"), (1.0, 1.0))


def test_a_group_does_not_take_in_a_region_that_has_its_name_already() -> None:
    with pytest.raises(InputError, match="'both' is a region of its own; list it among its members"):
        four().merged({"both": ("left", "right")})
    merged = four().merged({"both": ("left", "both")})
    assert merged.regions == ("bg", "both", "right")
    assert merged.labels.tolist() == [[0, 1], [2, 1]]


def test_a_case_that_lacks_a_member_has_the_group_of_the_others() -> None:
    settings = RegionSettings(merge={"sides": ("left", "right", "middle"), "none": ("spleen",)})
    merged = four().merged(_own(settings, four()))
    assert merged.regions == ("bg", "sides", "both")
