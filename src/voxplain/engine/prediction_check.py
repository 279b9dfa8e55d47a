"""Whether a prediction that was kept can be one of this image by this network."""

from __future__ import annotations

from voxplain.errors import InputError
from voxplain.model.model import Model
from voxplain.target.prediction import Prediction

Shapes = dict[str, tuple[int, ...] | None]


def require_fitting(
    prediction: Prediction, model: Model, shape: tuple[int, ...] | None, case_id: str
) -> None:
    """Refuse the prediction of another image or of a network of another form.

    Args:
        shape: (*spatial) of the prepared image; ``None`` for a classifier.

    Raises:
        InputError: naming the part that differs.
    """
    for name, expected in _expected(model, shape).items():
        part = getattr(prediction, name)
        found = None if part is None else tuple(part.shape)
        if found != expected:
            raise InputError(
                f"{case_id}: prediction: found {name} {_told(found)}, expected {_told(expected)}; it is of another image "
                "or another network"
            )
    classes = len(model.classes)
    for name in ("labels", "second"):
        part = getattr(prediction, name)
        if not (int(part.min()) >= 0 and int(part.max()) < classes):
            raise InputError(
                f"{case_id}: prediction: found {name} from {int(part.min())} to {int(part.max())}, expected classes from 0 "
                f"to {classes - 1}; it is of another network"
            )


def _expected(model: Model, shape: tuple[int, ...] | None) -> Shapes:
    """Shape of every part, ``None`` where there is none (see `Prediction`)."""
    place = shape or ()
    several = model.output == "sigmoid" and model.channels_out > 1
    return {
        "labels": place,
        "second": place,
        "positive": (model.channels_out, *place) if several else None,
        "output": (model.channels_out,) if shape is None else None,
    }


def _told(shape: tuple[int, ...] | None) -> str:
    return "nothing" if shape is None else f"of shape {shape}"
