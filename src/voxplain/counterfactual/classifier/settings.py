"""Who is explained, as settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from voxplain.counterfactual.classifier.endpoint import SCHEMES
from voxplain.counterfactual.classifier.onnx_file import SUFFIX
from voxplain.settings.fields import Classes, Existing, Head, as_text
from voxplain.settings.section import Section, setting

Name = Annotated[str | None, BeforeValidator(as_text)]


class ClassifierSettings(Section):
    """Who is explained."""

    source: str = Field(
        description="the network: file.py:function, package.module:function, a TorchScript or .pt2 file, or a MONAI bundle "
        "folder; or a black box: an .onnx file, or the address of an HTTP endpoint; it gives logits",
        min_length=1,
    )
    arguments: dict[str, Any] = setting({}, "keyword arguments of a factory")
    weights: Existing | None = setting(None, "weights of a factory's network: .pt, .pth or .safetensors")
    black_box: bool = setting(
        False,
        "source names a function from images (N, C, ...) in NumPy to logits (N, K), which is asked as it is and gives no "
        "gradient: simulators learn from a surrogate; an .onnx file or an endpoint always is one",
    )
    batch: int = setting(64, "of a black box: given to it in one call, at most", "images", ge=1)
    timeout: float = setting(60.0, "of an endpoint: until it answers", "s", gt=0)
    retries: int = setting(
        4, "of an endpoint that cannot be reached, is late or busy; pauses double from 0.25 s", ge=0
    )
    own_weights: bool = setting(False, "the factory's network brings its weights, or needs none")
    classes: Classes = setting(
        None, "names in the order of its outputs, or a JSON file; none: the data's, in their order"
    )
    head: Head = setting(None, "which tensor of a nested output, such as out, 0 or out.1")
    spatial_dims: Literal[2, 3] | None = setting(None, "found out where not given", "axes")
    trust_code: bool = setting(False, "allow a bundle to run Python code of its own")
    healthy: Name = setting(
        None, "the class that is away from the disease; none: the one that is called healthy, normal, …"
    )
    diseased: Name = setting(None, "the class that is towards it; none: the other one of two")

    @model_validator(mode="before")
    @classmethod
    def _is_asked_alone(cls, given: Any) -> Any:
        """An ONNX file or an endpoint is a black box without being told so."""
        if isinstance(given, Mapping) and _kind(given.get("source")) in ("onnx", "endpoint"):
            return {**given, "black_box": True}
        return given

    @property
    def kind(self) -> Literal["network", "function", "onnx", "endpoint"]:
        """What the source is."""
        found = _kind(self.source)
        return "function" if found == "network" and self.black_box else found

    @property
    def misfit(self) -> str | None:
        """What contradicts itself in a black box, as a message; None where nothing does."""
        if not self.black_box:
            return None
        if self.weights or self.arguments:
            return (
                "classifier.black_box: found weights or arguments, expected source alone (file.py:function, an .onnx file "
                "or an address), which is asked as it is"
            )
        if self.kind == "function" and ":" not in self.source:
            return (
                f"classifier.black_box: found {self.source}, a file without a function; expected source: file.py:function, "
                "which is called with images"
            )
        return None


def _kind(source: Any) -> Literal["network", "onnx", "endpoint"]:
    text = str(source).casefold()
    if text.startswith(SCHEMES):
        return "endpoint"
    return "onnx" if text.endswith(SUFFIX) else "network"
