"""How a value that a person typed becomes a setting: numbers, sizes, files that must exist."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, PlainValidator, ValidationInfo

from voxplain.errors import suggest

SCALES = ("minmax", "percentile", "zscore", "zscore-nonzero", "max")


def numbers(value: Any, convert: Callable[[Any], Any], example: str) -> Any:
    """One number, or several from a list or from text such as ``"96,96,64"``.

    >>> numbers("96, 96, 64", int, "96"), numbers(1.5, float, "1")
    ((96, 96, 64), 1.5)
    """
    parts: Sequence[Any] = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        parts = [value]
    found = tuple(_number(part, convert, value, example) for part in parts)
    if not found:
        raise ValueError(f"found {value!r}, expected a number or several, such as {example}")
    return found[0] if len(found) == 1 else found


def scale(value: Any) -> Any:
    """A name from SCALES, or (low, high) in the image's units.

    >>> scale("-100,300")
    (-100.0, 300.0)
    """
    if value is None or value in SCALES:
        return value
    if isinstance(value, str) and not re.match(r"\s*[-+.\d]", value):
        raise ValueError(f"found {value!r}; {suggest(value, SCALES)} or two numbers LOW,HIGH")
    pair = numbers(value, float, "-100,300")
    if not isinstance(pair, tuple) or len(pair) != 2 or not pair[0] < pair[1]:
        raise ValueError(f"found {value!r}, expected one of {', '.join(SCALES)}, or LOW,HIGH with LOW < HIGH")
    return pair


def orientation(value: Any) -> Any:
    """Axis codes, upper case: one of L/R, one of P/A, one of I/S (two of them for pictures)."""
    if value is None:
        return None
    codes = str(value).strip().upper()
    axes = ["LR", "PA", "IS"]
    used = [axis for letter in codes for axis in axes if letter in axis]
    if len(codes) not in (2, 3) or len(used) != len(codes) or len(set(used)) != len(used):
        raise ValueError(f"found {value!r}, expected one letter each of L/R, P/A and I/S, such as RAS or LIA")
    return codes


def head(value: Any) -> Any:
    """A path into a nested output: text, or a number."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    text = str(value)
    return int(text) if text.lstrip("-").isdecimal() else text


def classes(value: Any) -> Any:
    """A list of names, also as text with commas; or the path of a JSON file.

    >>> classes("background, liver"), classes("labels.json")
    (('background', 'liver'), 'labels.json')
    """
    if value is None or (isinstance(value, str) and Path(value).suffix.lower() == ".json"):
        return value
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names:
        raise ValueError(f"found {value!r}, expected names with commas between, or a .json file")
    odd = [n for n in names if not isinstance(n, str | int) or isinstance(n, bool)]
    if odd:
        raise ValueError(f"found {odd[0]!r} among the names, expected text; put it in quotes")
    return tuple(str(n).strip() for n in names)


def existing(path: Path) -> Path:
    """The path, if something is there; otherwise the closest name in its folder is suggested."""
    if path.exists():
        return path
    near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    hint = suggest(path.name, near) if near else f"the folder {path.parent} does not exist either"
    hint = hint if hint.startswith(("did you mean", "the folder")) else "check the path"
    raise ValueError(f"{path} does not exist; {hint}")


def as_text(value: Any) -> Any:
    """YAML reads ``series: 1`` and ``baseline: 0.5`` as numbers, but means what is written there.

    >>> as_text(1), as_text(0.5), as_text(None)
    ('1', '0.5', None)
    """
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def as_list(value: Any) -> Any:
    """One thing as a list of one."""
    return value if isinstance(value, list | tuple) else [value]


def _number(part: Any, convert: Callable[[Any], Any], whole: Any, example: str) -> Any:
    try:
        exact = float("nan") if isinstance(part, bool) else float(part)
        number = convert(exact)
    except (TypeError, ValueError, OverflowError):
        exact, number = 0.0, None
    if number is None or number != exact:
        kind = "whole numbers" if convert is int else "numbers"
        raise ValueError(f"found {whole!r}, expected {kind} such as {example}")
    return number


def _read(parse: Callable[[Any], Any], *, optional: bool = True) -> tuple[PlainValidator, PlainSerializer]:
    """Parse what was given, and write it as it is; nothing stays nothing."""
    validator = PlainValidator(lambda value: None if optional and value is None else parse(value))
    return validator, PlainSerializer(lambda value: value, return_type=Any)


def positive(value: Any) -> Any:
    """The numbers, all of them above zero and finite."""
    if not all(0 < n < float("inf") for n in as_list(value)):
        raise ValueError(f"found {value}, expected positive numbers")
    return value


def share(value: Any) -> Any:
    """The numbers, all of them in [0, 1)."""
    if not all(0 <= n < 1 for n in as_list(value)):
        raise ValueError(f"found {value}, expected a share from 0 up to, but not, 1, such as 0.25")
    return value


def number_or(words: Sequence[str], convert: Callable[[Any], Any], least: str) -> Callable[[Any], Any]:
    """What reads one of some words, or one positive number.

    >>> number_or(("auto",), int, "2")("4"), number_or(("auto",), int, "2")("auto")
    (4, 'auto')
    """
    expected = f"expected {', '.join(words)} or a number above 0, such as {least}"

    def read(value: Any) -> Any:
        if value in words:
            return value
        try:
            number = numbers(value, convert, least)
        except ValueError:
            number = None
        if not isinstance(number, int | float) or not 0 < number < float("inf"):
            raise ValueError(f"found {value!r}, {expected}")
        return number

    return read


def device(value: Any) -> Any:
    """A device's name, as torch spells it; whether this machine has it is seen where it is used."""
    import torch

    text = str(value).strip()
    try:
        return text if text == "auto" else str(torch.device(text))
    except RuntimeError:
        raise ValueError(f"found {value!r}, expected auto, cpu, cuda:0 or another device of torch") from None


def _existing(path: Path, info: ValidationInfo) -> Path:
    return path if info.context == CHECKED else existing(path)


# Settings that were checked before: one file that vanishes meanwhile is that case's trouble alone.
CHECKED = {"checked": True}
Existing = Annotated[Path, AfterValidator(_existing)]
Spacing = Annotated[
    float | tuple[float, ...] | None, *_read(lambda v: positive(numbers(v, float, "1 or 1,1,2.5")))
]
Size = Annotated[
    int | tuple[int, ...] | None, *_read(lambda v: positive(numbers(v, int, "128 or 128,128,64")))
]
Roi = Annotated[int | tuple[int, ...] | None, *_read(lambda v: numbers(v, int, "96 or 96,96,64"))]
Overlap = Annotated[
    float | tuple[float, ...], *_read(lambda v: share(numbers(v, float, "0.25")), optional=False)
]
# what reads int | Literal["auto"] and float | Literal["auto", "unlimited"]
WORKERS = PlainValidator(number_or(("auto",), int, "2"))
MEMORY = PlainValidator(number_or(("auto", "unlimited"), float, "8"))
Device = Annotated[str, BeforeValidator(device)]
Scale = Annotated[str | tuple[float, float] | None, *_read(scale)]
Orientation = Annotated[str | None, *_read(orientation)]
Head = Annotated[str | int | None, *_read(head)]
Classes = Annotated[str | tuple[str, ...] | None, *_read(classes)]
