"""A game in one text, ``infill:6:parts=64,values=[shapley,interaction]``: a baseline, then settings as those of methods."""

from __future__ import annotations

import re
from typing import Any

from voxplain.attribution.parameter_text import NotAParameterError, NotAValueError, parameters_in, value_of

# a file of a baseline case:FILE may have any name, so that only known settings end it
SETTINGS = re.compile(r":(?=\s*[A-Za-z_]\w*\s*=)")
KNOWN = re.compile(r":(?=\s*(?:values|of|parts|budget)\s*=)")
OWEN = "owen"


def game_in(value: Any) -> dict[str, Any]:
    """Baseline and settings of a text; anything else is a baseline.

    Raises:
        ValueError: what follows the baseline is not ``setting=value``.

    >>> game_in("blur:4:parts=64,values=[shapley,interaction]")
    {'baseline': 'blur:4', 'parts': 64, 'values': ['shapley', 'interaction']}
    >>> game_in("case:a=b.nii"), game_in(-1)
    ({'baseline': 'case:a=b.nii'}, {'baseline': -1})
    """
    if not isinstance(value, str):
        return {"baseline": value}
    ends = KNOWN if value.startswith("case:") else SETTINGS
    baseline, *rest = ends.split(value, maxsplit=1)
    try:
        return {"baseline": baseline, **{key: value_of(text) for key, text in parameters_in("".join(rest))}}
    except NotAParameterError:
        raise ValueError(f"found {value!r}, expected BASELINE:setting=value,setting=value") from None
    except NotAValueError as error:
        raise ValueError(f"found {value!r}: {error}") from None


def without_owen(value: Any) -> Any:
    """What is to be found, as it was given.

    Raises:
        ValueError: Owen values are among it, which have a setting of their own.
    """
    if OWEN in (value if isinstance(value, list | tuple) else [value]):
        raise ValueError(
            f"found {OWEN!r}, which has a setting of its own; write parts: 64 (about how many supervoxels the image is cut "
            "into), and in values what else is to be found: shapley, occlusion, interaction"
        )
    return value
