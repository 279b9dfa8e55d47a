"""How images were prepared and windows slid, in the words of a methods section."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voxplain.settings.prepare import PrepareSettings
    from voxplain.study.settings.config import WindowSettings

_WORDS = {
    "orientation": "axes turned to {}",
    "spacing": "resampled to {} mm",
    "size": "resized to {} voxels",
    "scale": "intensities scaled ({})",
    "crop": "cropped to the {}",
    "divisible": "padded to multiples of {} voxels",
}


def prepared_words(asked: PrepareSettings) -> list[str]:
    """Steps that are no defaults."""
    given = asked.model_dump(mode="json", exclude_defaults=True)
    named = {key: _WORDS.get(key, key.replace("_", " ") + " {}") for key in given}
    return [
        named[key].format(_range(item) if key == "scale" else _shown(item)) for key, item in given.items()
    ]


def _range(scale: object) -> str:
    """A name as it is; two limits in the units of the image, which become 0 and 1."""
    if not isinstance(scale, list | tuple):
        return str(scale)
    low, high = (f"{float(limit):g}".replace("-", "−") for limit in scale)
    return f"{low} to {high} onto 0 to 1, clipped"


def _shown(item: object) -> str:
    return " × ".join(map(str, item)) if isinstance(item, list | tuple) else str(item)


def windows_words(asked: WindowSettings) -> str:
    """How the network slid; empty where it saw the whole image."""
    if asked.roi is None:
        return ""
    sizes = asked.roi if isinstance(asked.roi, tuple) else (asked.roi,)
    overlap = asked.overlap if isinstance(asked.overlap, tuple) else (asked.overlap,)
    shown = " and ".join(f"{100 * float(o):.0f} %" for o in dict.fromkeys(overlap))
    return f"windows of {'×'.join(map(str, sizes))} voxels with {shown} overlap, blended by {asked.blend} weights"
