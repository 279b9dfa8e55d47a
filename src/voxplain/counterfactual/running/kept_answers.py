"""Answers of the classifier, kept as they come: what was cut off asks only for the rest."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch import Tensor, nn

from voxplain.counterfactual.running.families.tensors import read_tensors, write_tensors
from voxplain.errors import InputError

EVERY = 256  # answers, after which they are written; in the end they are, too, be it an error


class Answers:
    """Asks a classifier, unless it has answered before; whoever asks must do so in the same order each time.

    Used as a context: what is left in the end, or by an error or an interruption, is written.

    Args:
        path: of the file, which is whole at any time.
        kind: what it is of; answers of another kind are forgotten.
        classifier: (N, C, *S) to (N, K).
    """

    def __init__(self, path: Path, kind: str, classifier: nn.Module) -> None:
        self._path, self._kind, self._classifier = path, kind, classifier
        self._known = known_answers(path, kind)
        self._given, self._written = 0, len(self._known)

    def __call__(self, images: Tensor) -> Tensor:
        """(N, K) outputs for the next images (N, C, *S)."""
        known = self._known[self._given : self._given + len(images)]
        rest = images[len(known) :]
        if len(rest):
            found: Tensor = self._classifier(rest)
            if not _is_answer(found, len(rest)):
                return found  # whoever asked says what is wrong with it
            self._known = torch.cat([self._known.reshape(-1, found.shape[1]), found.detach().cpu()])
        self._given += len(images)
        if len(self._known) - self._written >= EVERY:
            self._write()
        return self._known[self._given - len(images) : self._given].to(images.device)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if len(self._known) > self._written:
            self._write()

    def forget(self) -> None:
        """Remove the file, after what came of it is written."""
        self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        write_tensors(self._path, self._kind, {"outputs": self._known})
        self._written = len(self._known)


def _is_answer(found: Tensor, count: int) -> bool:
    """What may be kept: finite (N, K)."""
    whole = isinstance(found, Tensor) and found.ndim == 2 and len(found) == count
    return whole and bool(torch.isfinite(found).all())


def known_answers(path: Path, kind: str) -> Tensor:
    """(M, K) that were written; none of another kind."""
    if path.exists():
        try:
            return read_tensors(path, kind)["outputs"]
        except InputError:
            pass  # of other settings
    return torch.zeros(0, 0)
