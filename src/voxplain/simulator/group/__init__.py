"""What subjects have in common: mean maps with tests that are corrected over voxels, differences of groups, agreement."""

from voxplain.simulator.group.agreement import Agreement, agreement
from voxplain.simulator.group.group_map import GroupMap
from voxplain.simulator.group.one_sample import group_map
from voxplain.simulator.group.two_samples import group_difference

__all__ = ["Agreement", "GroupMap", "agreement", "group_difference", "group_map"]
