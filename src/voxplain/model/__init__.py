"""The network that is asked: loading, preparing its input, undoing that for maps."""

from voxplain.model.classes import read_classes
from voxplain.model.layers import Layer
from voxplain.model.load import load_model
from voxplain.model.model import Model
from voxplain.model.preparation import Preparation
from voxplain.model.prepared import Prepared
from voxplain.model.windows import Windows

__all__ = ["Layer", "Model", "Preparation", "Prepared", "Windows", "load_model", "read_classes"]
