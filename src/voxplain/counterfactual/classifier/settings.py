"""Who is explained, as settings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from voxplain.settings.fields import Classes, Existing, Head, as_text
from voxplain.settings.section import Section, setting

Name = Annotated[str | None, BeforeValidator(as_text)]


class ClassifierSettings(Section):
    """Who is explained."""

    source: str = Field(
        description="the network: file.py:function, package.module:function, a TorchScript or .pt2 file, or a MONAI bundle "
        "folder; it gives logits",
        min_length=1,
    )
    arguments: dict[str, Any] = setting({}, "keyword arguments of a factory")
    weights: Existing | None = setting(None, "weights of a factory's network: .pt, .pth or .safetensors")
    black_box: bool = setting(
        False,
        "source names a function from images (N, C, ...) in NumPy to logits (N, K), which is asked as it is and gives no "
        "gradient: simulators learn from a surrogate",
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
