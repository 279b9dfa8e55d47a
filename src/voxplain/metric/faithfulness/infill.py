"""Voxels taken out and filled in from their neighbours, as ROAD asks for."""

from voxplain.attribution.baselines.harmonic import filled, neighbour_mean, neighbour_weights

__all__ = ["filled", "neighbour_mean", "neighbour_weights"]
