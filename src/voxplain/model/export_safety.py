"""What an exported program may hold if nothing in it shall run but tensor operators.

Loading a ``.pt2`` evaluates its symbolic sizes with sympy and looks its operators up by dotted names; both would
run whatever a forged file says. (Its pickles are read with ``weights_only``.)
"""

from __future__ import annotations

import ast
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from voxplain.errors import ModelError

_OPERATOR = re.compile(r"(torch\.ops\.(?!_|load_library)\w+\.\w+(\.\w+)?|torch\.(_?sym_\w+))$")
_ARITHMETIC = frozenset(
    "_operator." + name
    for name in (
        "add", "sub", "mul", "floordiv", "truediv", "mod", "neg", "pos", "pow", "abs",
        "lt", "le", "gt", "ge", "eq", "ne", "and_", "or_", "not_", "getitem",
    )
) | {"math.ceil", "math.floor", "math.trunc", "math.sqrt", "math.pow"}  # fmt: skip
_SIZES = frozenset(
    (
        "Symbol", "Integer", "Rational", "Float", "Add", "Mul", "Pow", "Mod", "PythonMod", "FloorDiv", "CleanDiv",
        "CeilDiv", "CeilToInt", "FloorToInt", "TruncToInt", "TrueDiv", "IntTrueDiv", "FloatTrueDiv", "ToFloat",
        "Max", "Min", "Abs", "ModularIndexing", "Where", "Identity", "Piecewise", "Eq", "Ne", "Lt", "Le", "Gt", "Ge",
        "Equality", "Unequality", "StrictLessThan", "LessThan", "StrictGreaterThan", "GreaterThan", "And", "Or", "Not",
        "true", "false", "True", "False",
    )
)  # fmt: skip


def check(path: Path) -> None:
    """Raise ModelError where the file holds anything but tensor operators and sizes."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        native = [n for n in names if "aotinductor" in n]
        if native:
            raise _refusal(path, f"compiled machine code ({native[0]})")
        for name in names:
            if name.endswith(".json"):
                _check_json(path, json.loads(archive.read(name)))


def _check_json(path: Path, content: Any) -> None:
    for key, value in _texts(content):
        if key == "expr_str" and not _is_size(value):
            raise _refusal(path, f"a size that is not arithmetic ({value[:60]!r})")
        if key == "target" and "." in value and not _is_operator(value):
            raise _refusal(path, f"an operator that is not a tensor's ({value[:60]!r})")


def _texts(content: Any) -> Iterator[tuple[str, str]]:
    """Every string in a JSON document, with its key."""
    if isinstance(content, dict):
        for key, value in content.items():
            if isinstance(value, str):
                yield key, value
            else:
                yield from _texts(value)
    elif isinstance(content, list):
        for value in content:
            yield from _texts(value)


def _is_operator(target: str) -> bool:
    # targets of graph inputs and outputs are parameter names, which also have dots
    looked_up = target.startswith(("torch.", "_operator.", "math.", "#"))
    return not looked_up or ("__" not in target and (target in _ARITHMETIC or bool(_OPERATOR.match(target))))


def _is_size(expression: str) -> bool:
    """Whether an expression only calls constructors of numbers and symbols.

    >>> _is_size("Mul(Integer(4), Symbol('s0', positive=True, integer=True))")
    True
    >>> _is_size("__import__('os').system('true')")
    False
    """
    try:
        tree = ast.parse(expression, mode="eval")
    except (SyntaxError, ValueError):
        return False
    allowed = (
        ast.Expression, ast.Call, ast.keyword, ast.Constant, ast.Name, ast.Load, ast.BinOp, ast.UnaryOp, ast.operator,
        ast.unaryop, ast.Compare, ast.cmpop, ast.BoolOp, ast.boolop, ast.Tuple,
    )  # fmt: skip
    symbol = re.compile(r"[A-Za-z]?[su]\d+$")
    for node in ast.walk(tree):
        if not isinstance(node, allowed):
            return False
        if isinstance(node, ast.Name) and node.id not in _SIZES and not symbol.match(node.id):
            return False
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not node.value.isidentifier():
            return False
    return True


def _refusal(path: Path, what: str) -> ModelError:
    return ModelError(
        f"model {path}: it holds {what}; pass trust_code=True (--set model.trust_code=true) if you trust who made the file"
    )
