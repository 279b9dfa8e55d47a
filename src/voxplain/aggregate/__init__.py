"""What each predicted segment depends on: attributions summed over regions, region games, cohorts."""

from voxplain.aggregate.cohort import Cohort
from voxplain.aggregate.games import OwenGame, RegionGame, owen_game, region_game
from voxplain.aggregate.partition import (
    Partition,
    from_labels as regions_from_labels,
    predicted as predicted_regions,
)
from voxplain.aggregate.shells import Shells
from voxplain.aggregate.tables import RegionTable, region_table, table_of

__all__ = [
    "Cohort",
    "OwenGame",
    "Partition",
    "RegionGame",
    "RegionTable",
    "Shells",
    "owen_game",
    "predicted_regions",
    "region_game",
    "region_table",
    "regions_from_labels",
    "table_of",
]
