"""What the numbers of one image mean, in words and with a light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voxplain.counterfactual.page.remark import Remark
from voxplain.report.canvas import signed

if TYPE_CHECKING:
    from voxplain.model import Preparation

ALIKE = 0.7  # correlation of mean maps, from which on a control explains as much
_BEYOND = 1.5  # typical distances from the mean


def image_unit(prepare: Preparation) -> str:
    """Of what the classifier sees: the file's own units, unless the preparation scales them."""
    return "image units" if prepare.scale is None and prepare.transforms is None else "prepared units"


def remarks(record: dict[str, Any]) -> tuple[Remark, ...]:
    """Of one image: right, copy, reached, monotone, plausible, random directions."""
    found = (
        _right(record), _copy(record), _reached(record), _monotone(record), _plausible(record), _random(record),
        _carried(record), _own(record), _oracle(record),
    )  # fmt: skip
    return tuple(remark for remark in found if remark is not None)


def _right(record: dict[str, Any]) -> Remark | None:
    if record["right"] is not False:
        return None
    text = f"The classifier says {record['decision']}, but it is {record['label']}: this shows a mistake, not a disease."
    return Remark("warn", "wrong decision", text)


def _copy(record: dict[str, Any]) -> Remark:
    if record["withheld"]:
        return Remark("bad", "copy differs", f"The difference is withheld: {record['withheld']}.")
    text = (
        f"The generator's copy keeps the decision (logit {signed(record['logit of the copy'])}); it is off by "
        f"{record['error of the copy']:.3g} per voxel, the change is {record['change']:.3g}.{_tuned(record)}"
    )
    return Remark("good", "copy", text)


def _tuned(record: dict[str, Any]) -> str:
    if "pivot" not in record:
        return ""
    return (
        f" The generator was tuned to this image (before, it was off by {record['error of the copy before tuning']:.3g}), "
        "which makes it another family; the direction was found anew in it, at a cosine of "
        f"{record['cosine with the direction before tuning']:.2f} to that before (R² {record['r2 after tuning']:.2f})."
    )


def _reached(record: dict[str, Any]) -> Remark:
    before, after, target = (signed(record[name]) for name in ("logit before", "logit after", "target"))
    if not record["reached"]:
        text = f"No dose brings the logit from {before} to {target}; shown is what comes closest ({after})."
        return Remark("bad", "not reached", text)
    return Remark("good", "reached", f"Dose {record['dose']:.2f} brings the logit from {before} to {after}.")


def _monotone(record: dict[str, Any]) -> Remark:
    if record["monotone"]:
        return Remark("good", "monotone", "The logit moves towards the target all the way.")
    text = "The logit turns back on the way, so a smaller dose may reach the target, too."
    return Remark("warn", "not monotone", text)


def _plausible(record: dict[str, Any]) -> Remark:
    ratio = record["distance ratio"]
    text = f"It ends at {ratio:.2f} typical distances from the mean of plausible images."
    if ratio > _BEYOND:
        return Remark("warn", "beyond", f"{text} Images like this may not exist.")
    return Remark("good", "plausible", text)


def _random(record: dict[str, Any]) -> Remark:
    share, ever = 100 * record["random flips"], 100 * record["random flips ever"]
    text = f"Of random directions {share:.0f} % change the decision at this dose, {ever:.0f} % at some dose."
    return Remark("warn" if share >= 50 else "info", "random", text)


def _carried(record: dict[str, Any]) -> Remark:
    text = (
        f"{100 * record['sparsity']:.0f} % of the voxels change by more than a hundredth of the range; COUT "
        f"{signed(record['cout'])} (1: the voxels that change most decide)."
    )
    return Remark("info", "change", text)


def _own(record: dict[str, Any]) -> Remark:
    cosine = f"cosine of features {signed(record['identity'])}"
    if record["own nearest"]:
        return Remark(
            "good",
            "same patient",
            f"It stays nearer to its own image than to any other patient's ({cosine}).",
        )
    return Remark(
        "warn", "other patient", f"It ends nearer to another patient's image than to its own ({cosine})."
    )


def _oracle(record: dict[str, Any]) -> Remark | None:
    if "oracle before" not in record:
        return None
    before, after = record["oracle before"], record["oracle after"]
    text = f"The oracle's logit goes from {signed(before)} to {signed(after)}"
    if (before > 0) != (after > 0):
        return Remark("good", "oracle agrees", f"{text}: its decision changes, too.")
    return Remark("warn", "oracle", f"{text}: its decision does not change.")
