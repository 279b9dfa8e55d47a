"""Shares, densities and entries as the page writes them."""

from __future__ import annotations

import math

from voxplain.report.study.words import NONE, chance, number

TOLD = 4  # names in a list, before the rest is counted


def share(value: float) -> str:
    """A share in per cent.

    >>> share(0.1234), share(0.00004), share(float("nan")), share(0.0)
    ('12 %', '< 0.1 %', '–', '0 %')
    """
    if math.isnan(value):
        return NONE
    if 0 < value < 0.0005:
        return "< 0.1 %"
    percent = 100 * value
    return f"{percent:.0f} %" if percent >= 9.95 or percent == 0 else f"{number(percent, 2)} %"


def interval(low: float, high: float) -> str:
    """An interval in words; empty where there is none.

    >>> interval(1.5, 2.25), interval(float("nan"), 1.0)
    ('95 % CI 1.5 to 2.25', '')
    """
    return "" if math.isnan(low) or math.isnan(high) else f"95 % CI {number(low)} to {number(high)}"


def equal(name: str, p: float) -> str:
    """A probability with its name.

    >>> equal("q", 0.0001), equal("p", 0.04)
    ('q < 0.001', 'p = 0.04')
    """
    told = chance(p)
    return f"{name} {told}" if told.startswith("<") else f"{name} = {told}"


def listed(names: list[str] | tuple[str, ...], most: int = TOLD) -> str:
    """Names as a sentence has them, the rest counted.

    >>> listed(["a"]), listed(["a", "b", "c"]), listed(["a", "b", "c"], 2), listed([])
    ('a', 'a, b and c', 'a, b and 1 more', 'none')
    """
    if not names:
        return "none"
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def depends(target: str, region: str) -> str:
    """An entry, as a sentence begins.

    >>> depends("liver", "liver"), depends("spleen", "stomach")
    ('liver depends on itself', 'spleen depends on stomach')
    """
    return f"{target} depends on {'itself' if region == target else region}"


def whose(name: str) -> str:
    """A name that owns something.

    >>> whose("spleen"), whose("lungs")
    ('spleen’s', 'lungs’')
    """
    return f"{name}’" if name.endswith("s") else f"{name}’s"


def closed(text: str) -> str:
    """With a full stop; a name at its beginning stays as it is.

    >>> closed("case-1 lacks spleen"), closed("Why?")
    ('case-1 lacks spleen.', 'Why?')
    """
    return text if text.endswith((".", "?", "!")) or not text else f"{text}."
