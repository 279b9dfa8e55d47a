"""Attributions of all classes summed over regions, without keeping the maps."""

from voxplain.aggregate.tables.make import region_table, table_of
from voxplain.aggregate.tables.table import Part, RegionTable

__all__ = ["Part", "RegionTable", "region_table", "table_of"]
