"""The engine: the only room that runs the network."""

from voxplain.engine.draws import Gradients
from voxplain.engine.passes import Passes
from voxplain.engine.problem import Problem
from voxplain.engine.samplers import Fixed, Sampler, clean
from voxplain.engine.store import MapStore

__all__ = ["Fixed", "Gradients", "MapStore", "Passes", "Problem", "Sampler", "clean"]
