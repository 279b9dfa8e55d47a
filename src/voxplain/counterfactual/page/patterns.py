"""Whether copies and samples go together with the classifier's answer where real images do, in words and with a light."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voxplain.counterfactual.page.numbers import number
from voxplain.counterfactual.page.remark import Remark

AGREES = 0.7  # from which on patterns are said to be alike; a StyleGAN with wrong maps had 0.54 and 0.35
_WHAT = "the voxels that go together with the logit"


def pattern_remarks(found: Mapping[str, Mapping[str, float | None]]) -> tuple[Remark, ...]:
    """One of each of copies and samples.

    Args:
        found: of each ``r``, ``limit``, ``agreement``, as in the summary.
    """
    return tuple(_remark(name, told) for name, told in found.items())


def pattern_warnings(found: Mapping[str, Mapping[str, float | None]]) -> tuple[str, ...]:
    """What is wrong, to be said at the top."""
    return tuple(remark.text for remark in pattern_remarks(found) if remark.light == "bad")


def _remark(name: str, told: Mapping[str, Any]) -> Remark:
    if told["agreement"] is None:
        text = (
            f"Images are too few to tell whether {_WHAT} are the same in {name} and in real images (r {number(told['r'])}; "
            f"a perfect generator would have about {told['limit']:.2f}): ask about more, by direction.images and "
            "direction.samples."
        )
        return Remark("info", f"{name}: too few", text)
    numbers = f"r {number(told['agreement'])} without noise, {number(told['r'])} with it"
    if told["agreement"] < AGREES:
        text = (
            f"In the generator's {name}, {_WHAT} are others than in real images ({numbers}): what the classifier answers to "
            "there is something else, and maps show that instead, however many decisions change."
        )
        return Remark("bad", f"{name}: other pattern", text)
    text = f"In the generator's {name}, {_WHAT} are those of real images ({numbers})."
    return Remark("good", f"{name}: same pattern", text)
