"""What a page cannot tell, as far as it follows from what was run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

SMALL_ML, SMALL_VOXELS = 1.0, 200


@dataclass(frozen=True)
class Ran:
    """What was run, as far as limits follow from it.

    Attributes:
        methods: name -> parameters.
        small: targets whose region is small, with its size in words.
        meanings: method -> what its values are (``share``, ``slope``, ``rank``).
        reads: method -> how its map is read.
        resampled: whether the network saw another grid than the image's.
        windows: how many the network slid over; 0 for a classifier.
        cases: of the study.
        judged: whether any metric was asked for.
        classifier: whether there are no segments.
    """

    methods: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    small: Mapping[str, str] = field(default_factory=dict)
    meanings: Mapping[str, str] = field(default_factory=dict)
    resampled: bool = False
    windows: int = 1
    cases: int = 1
    judged: bool = False
    classifier: bool = False


def limits(ran: Ran) -> tuple[str, ...]:
    """One sentence each, the most serious first."""
    return tuple(_limits(ran))


def _limits(ran: Ran) -> Iterable[str]:
    yield (
        "A map says what this model reacted to in this image. It does not say that the model is right, and it is "
        "no detector: on "
        "chest radiographs all of seven methods localised worse than radiologists (Saporta et al. 2022)."
    )
    if ran.small:
        told = ", ".join(f"{name} ({size})" for name, size in ran.small.items())
        yield f"Small region: {told}. Maps of small findings are the least reliable (Saporta et al. 2022)."
    if not ran.judged:
        yield "No metric was asked for: nothing here says whether a map follows the model better than noise does."
    if ran.cases == 1:
        yield "One case: what holds here need not hold for another image."
    yield from _of_values(ran)
    yield from _of_baselines(ran.methods)
    if ran.resampled:
        yield (
            "The network saw the image on another grid; maps were interpolated back, so that detail below the "
            "network's voxels "
            "is none."
        )
    if ran.windows > 1:
        yield (
            f"The network slid over {ran.windows} windows and saw nothing beyond the edge of each: what lies "
            f"farther away cannot "
            "have played a part, whatever its meaning."
        )
    if ran.classifier:
        yield "The regions are fields of the image and no organs, since the network names none."
    yield "Where two things always occur together, a map cannot say which of them the model needs."


def _of_values(ran: Ran) -> Iterable[str]:
    ranks = [m for m, kind in ran.meanings.items() if kind == "rank"]
    slopes = [m for m, kind in ran.meanings.items() if kind == "slope"]
    if slopes:
        yield (
            f"{_listed(slopes)}: a sensitivity to small changes of intensity; a part that the model needs but is "
            f"sure about may "
            "be dark."
        )
    if ranks:
        yield f"{_listed(ranks)}: values do not add up to the score; only where, and which more, can be read."


def _of_baselines(methods: Mapping[str, Mapping[str, object]]) -> Iterable[str]:
    named = {
        m: p["baseline"] for m, p in methods.items() if "baseline" in p and p["baseline"] not in (None, "")
    }
    for baseline in dict.fromkeys(str(b) for b in named.values()):
        own = [m for m, b in named.items() if str(b) == baseline]
        yield (
            f"{_listed(own)}: relative to the baseline {baseline}; what looks like the baseline gets nothing, "
            f"however important."
        )
    others = [m for m, p in methods.items() if "baseline" in p and p["baseline"] in (None, "")]
    if others:
        yield (
            f"{_listed(others)}: relative to the default baseline image; what looks like the baseline gets nothing, "
            "however important."
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
