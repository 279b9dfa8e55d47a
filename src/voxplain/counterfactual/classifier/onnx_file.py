"""A network in an ONNX file, asked by onnxruntime or, slowly, by ONNX's own reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import ModelError, suggest
from voxplain.model.checks import first_line

SUFFIX = ".onnx"
_Run = Callable[[NDArray[Any]], Sequence[Any]]


class OnnxFile:
    """Logits of a file's network.

    A file whose first axis is fixed is given so many images at a time; the last ones are repeated to fill it.

    Args:
        path: of the file, which has one input (N, C, *S) of float32 or float16.
        head: name or number of the output that holds the logits; by default the only one.

    Attributes:
        spatial_dims: 2 or 3, where the file tells it.

    Raises:
        ModelError: no such file, neither package is there, another input, an unknown output.
    """

    def __init__(self, path: Path, head: str | int | None = None) -> None:
        if not path.is_file():
            near = [file.name for file in path.parent.glob("*")] if path.parent.is_dir() else []
            raise ModelError(f"classifier.source: {path} does not exist; {suggest(path.name, near)}")
        self._path = path
        self._run, inputs, outputs = _opened(path)
        if len(inputs) != 1:
            names = ", ".join(name for name, _, _ in inputs)
            raise ModelError(
                f"classifier.source: {path} has {len(inputs)} inputs ({names}), expected one, the image"
            )
        _, self._type, shape = inputs[0]
        rank = None if shape is None else len(shape)
        if rank not in (None, 4, 5):
            raise ModelError(
                f"classifier.source: {path} takes inputs of {rank} axes, expected (N, C, *S) with 4 or 5"
            )
        self.spatial_dims = None if rank is None else rank - 2
        first = shape[0] if shape else None
        self._count = first if isinstance(first, int) and first > 0 else None
        self._output = _chosen(path, outputs, head)

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, C, *S) to (N, K)."""
        if self._count is None:
            return self._asked(images)
        count = self._count
        parts = [images[start : start + count] for start in range(0, len(images), count)]
        return np.concatenate([self._asked(_filled(part, count))[: len(part)] for part in parts])

    def _asked(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        given: NDArray[Any] = images.astype(np.float16) if self._type == "float16" else images
        return np.asarray(self._run(given)[self._output], np.float32)


_Port = tuple[str, str, tuple[int | str | None, ...] | None]


def _opened(path: Path) -> tuple[_Run, list[_Port], list[str]]:
    """What runs it, its inputs (name, type, shape), and the names of its outputs."""
    try:
        import onnxruntime
    except ImportError:
        return _reference(path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # its warnings are nothing that a user can mend
    providers = [p for p in ("CUDAExecutionProvider", "CPUExecutionProvider")
                 if p in onnxruntime.get_available_providers()]  # fmt: skip
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:
        raise ModelError(f"classifier.source: {path} cannot be read as ONNX: {first_line(error)}") from error
    ports: list[_Port] = [
        (
            port.name,
            port.type.removeprefix("tensor(").removesuffix(")"),
            tuple(port.shape) if port.shape else None,
        )
        for port in session.get_inputs()
    ]
    name = ports[0][0] if ports else ""
    return (lambda x: session.run(None, {name: x})), ports, [port.name for port in session.get_outputs()]


def _reference(path: Path) -> tuple[_Run, list[_Port], list[str]]:
    try:
        import onnx
        from onnx.reference import ReferenceEvaluator
    except ImportError:
        raise ModelError(
            f"classifier.source: {path} needs onnxruntime to be asked; pip install 'voxplain[onnx]'"
        ) from None
    try:
        model = onnx.load(str(path))
        evaluator = ReferenceEvaluator(model)
    except Exception as error:
        raise ModelError(f"classifier.source: {path} cannot be read as ONNX: {first_line(error)}") from error
    weights = {tensor.name for tensor in model.graph.initializer}
    ports = [_port(value) for value in model.graph.input if value.name not in weights]
    name = ports[0][0] if ports else ""
    return (lambda x: evaluator.run(None, {name: x})), ports, [value.name for value in model.graph.output]


def _port(value: Any) -> _Port:
    kind = value.type.tensor_type
    shape = (
        tuple(d.dim_value or d.dim_param or None for d in kind.shape.dim) if kind.HasField("shape") else None
    )
    return value.name, "float16" if kind.elem_type == 10 else "float", shape


def _chosen(path: Path, names: Sequence[str], head: str | int | None) -> int:
    if head is None and len(names) == 1:
        return 0
    if isinstance(head, int) and -len(names) <= head < len(names):
        return head
    if isinstance(head, str) and head in names:
        return names.index(head)
    if head is None:
        raise ModelError(
            f"classifier.head: not given, and {path} has {len(names)} outputs ({', '.join(names)}); name the one with logits"
        )
    raise ModelError(f"classifier.head: found {head!r}; {suggest(str(head), names)}")


def _filled(images: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    lacking = count - len(images)
    return images if not lacking else np.concatenate([images, np.repeat(images[-1:], lacking, 0)])
