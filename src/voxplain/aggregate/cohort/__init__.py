"""Statistics of a cohort: tables of region rows to matrices, outliers, relations, groups, nulls, graphs."""

from voxplain.aggregate.cohort.beats import Beaten, beats
from voxplain.aggregate.cohort.cohort import Cohort
from voxplain.aggregate.cohort.composition import Compositions, compose
from voxplain.aggregate.cohort.difference import Difference
from voxplain.aggregate.cohort.distances import Distances, between_cases, between_targets
from voxplain.aggregate.cohort.effects import Signed, signed
from voxplain.aggregate.cohort.expected import Expected, expected
from voxplain.aggregate.cohort.graph import Edge, Graph, Node, graph
from voxplain.aggregate.cohort.groups import GroupComparison, compare_groups
from voxplain.aggregate.cohort.matrix import Matrix
from voxplain.aggregate.cohort.metadata import Column, Metadata
from voxplain.aggregate.cohort.multiplicity import false_discovery
from voxplain.aggregate.cohort.nulls import by_distance, by_volume
from voxplain.aggregate.cohort.outliers import Outliers, outliers
from voxplain.aggregate.cohort.radius import RadiusCurves, radius_curves
from voxplain.aggregate.cohort.relations import Relations, relate_entries, relate_outliers
from voxplain.aggregate.cohort.summary import Summary, summarise
from voxplain.aggregate.cohort.tree import Tree, cluster

__all__ = [
    "Beaten",
    "Cohort",
    "Column",
    "Compositions",
    "Difference",
    "Distances",
    "Edge",
    "Expected",
    "Graph",
    "GroupComparison",
    "Matrix",
    "Metadata",
    "Node",
    "Outliers",
    "RadiusCurves",
    "Relations",
    "Signed",
    "Summary",
    "Tree",
    "beats",
    "between_cases",
    "between_targets",
    "by_distance",
    "by_volume",
    "cluster",
    "compare_groups",
    "compose",
    "expected",
    "false_discovery",
    "graph",
    "outliers",
    "radius_curves",
    "relate_entries",
    "relate_outliers",
    "signed",
    "summarise",
]
