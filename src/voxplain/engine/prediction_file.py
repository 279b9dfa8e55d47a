"""Predictions to disk and back, so that a network is asked once for all that is done with its answer."""

from __future__ import annotations

import json
from pathlib import Path

from voxplain.engine.tensor_file import TensorFile, write_tensors
from voxplain.errors import InputError
from voxplain.target.prediction import Prediction

KIND = "voxplain prediction"
PARTS = ("labels", "second", "positive", "output", "certainty")


def write_prediction(path: Path, prediction: Prediction) -> Path:
    """Write a prediction, on the network's grid, as a safetensors file, whole or not at all.

    Raises:
        StorageError: it cannot be written.
    """
    parts = {name: part for name in PARTS if (part := getattr(prediction, name)) is not None}
    facts = {"kind": KIND, "disagreement": json.dumps(prediction.disagreement)}
    return write_tensors(path, list(parts), parts.__getitem__, facts)


def read_prediction(path: Path) -> Prediction:
    """The prediction that was written, bit for bit.

    Raises:
        InputError: no such file, damaged, or of another kind.
    """
    file = TensorFile(path)
    if file.facts.get("kind") != KIND:
        raise InputError(f"{path}: is no stored prediction, but another safetensors file")
    if not {"labels", "second"} <= file.entries.keys():
        raise InputError(f"{path}: is damaged (labels or second is missing)")
    try:
        disagreement = float(json.loads(file.facts["disagreement"]))
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{path}: is damaged (its disagreement is missing or no number)") from None
    labels, second, *rest = (file.read(n) if n in file.entries else None for n in PARTS)
    assert labels is not None and second is not None
    positive, output, certainty = rest
    return Prediction(labels, second, positive, output, disagreement, certainty)
