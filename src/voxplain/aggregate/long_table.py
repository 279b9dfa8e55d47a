"""The long table of regions: its columns and the names in it, for those who write it and those who read it."""

from __future__ import annotations

NUMBERS = ("value", "error")
COLUMNS = ("case", "model", "method", "target", "partition", "region", "statistic", *NUMBERS, "status")
# with their types in SQL
TYPES = {column: "DOUBLE" if column in NUMBERS else "VARCHAR" for column in COLUMNS}
# statistics that are known of a region whatever the attribution
SIZES = ("voxels", "volume_ml")
JOINER = " × "  # of the names of two divisions, and of their regions
