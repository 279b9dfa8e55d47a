"""Asking a trained classifier about many samples, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from voxplain.errors import InputError, ModelError
from voxplain.inherent.data.prepared import prepared
from voxplain.inherent.data.reading import Reader
from voxplain.inherent.data.sample import Sample
from voxplain.inherent.evidence import Agreed, Explanation
from voxplain.model import Preparation, Prepared


@dataclass(frozen=True, eq=False)
class Predicted:
    """What a classifier says of one sample.

    Args:
        sample: which one.
        logits: (K,) float32, on the CPU.
        evidence: (K, *S) float32 on the prepared grid, on the CPU; None where it was not asked for.
        contribution: (K, *S) what each place adds to the logits, of a network that divides them; else None.
        deviation: (K, *S) how far several answers differ, of a network that gives several; else None.
        member_logits: (M, K) float32, what each of them said; likewise.
        prepared: the network's input and the way back to the case's own grid (``prepared.restore(evidence)``).
    """

    sample: Sample
    logits: Tensor
    evidence: Tensor | None
    contribution: Tensor | None
    prepared: Prepared
    deviation: Tensor | None = None
    member_logits: Tensor | None = None


def predict(
    network: nn.Module,
    samples: Sequence[Sample],
    *,
    preparation: Preparation | None = None,
    evidence: bool | None = None,
    batch: int = 8,
    device: str = "cpu",
    precision: str = "fp32",
    like: tuple[int, ...] | None = None,
    reader: Reader | None = None,
) -> Iterator[Predicted]:
    """Logits, and evidence where the network has it, sample by sample in order. No more than a batch is held.

    Args:
        network: (N, C, *S) -> (N, K) logits; with ``explain(x)`` -> `Explanation`, or ``evidence(x)`` -> (N, K, *S), if it
            gives evidence. It is asked in evaluation mode and left as it was, except for its device.
        samples: what is asked about; labels may be unknown. Images of different sizes are asked one after the other.
        preparation: the same as in training.
        evidence: whether to ask for it; by default where the network has it.
        batch: samples per pass.
        device: where.
        precision: ``"fp32"``, or ``"bf16"`` with autocast.
        like: (C, *S) of a prepared image that was learned from; others must have as many channels and axes.
        reader: keeps the last volume for the next slice of it, also from one call to the next; a new one where not given.

    Raises:
        InputError: images that cannot be read, or are not like those that were learned from.
        ModelError: evidence of a network that has none.
    """
    if precision not in ("fp32", "bf16"):
        raise InputError(f"precision: found {precision!r}, expected fp32 or bf16")
    can = hasattr(network, "explain") or hasattr(network, "evidence")
    asks = can if evidence is None else evidence
    if asks and not can:
        raise ModelError(f"evidence: {type(network).__name__} has no method evidence(x)")
    return _predicted(
        network,
        samples,
        preparation or Preparation(),
        asks,
        batch,
        device,
        precision,
        like,
        reader or Reader(),
    )


def _predicted(
    network: nn.Module,
    samples: Sequence[Sample],
    preparation: Preparation,
    asks: bool,
    batch: int,
    device: str,
    precision: str,
    like: tuple[int, ...] | None,
    reader: Reader,
) -> Iterator[Predicted]:
    network.to(device)
    held: list[tuple[Sample, Prepared]] = []
    for sample in samples:
        ready = prepared(sample, preparation, reader)
        if like is not None:
            _check_like(sample, ready, like)
        if held and (len(held) == batch or held[0][1].image.shape != ready.image.shape):
            yield from _asked(network, held, asks, device, precision)
            held = []
        held.append((sample, ready))
    if held:
        yield from _asked(network, held, asks, device, precision)


def _check_like(sample: Sample, ready: Prepared, like: tuple[int, ...]) -> None:
    found = ready.image.shape
    for what, own, wanted in (("channels", found[0], like[0]), ("axes", len(found) - 1, len(like) - 1)):
        if own != wanted:
            raise InputError(
                f"image of {sample.id}: found {own} {what} after preparation, expected {wanted} as the network was "
                "trained on"
            )


def _asked(
    network: nn.Module, held: list[tuple[Sample, Prepared]], asks: bool, device: str, precision: str
) -> Iterator[Predicted]:
    images = torch.stack([ready.image for _, ready in held]).to(device)
    autocast = torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bf16")
    with _asking(network), torch.no_grad(), autocast:
        told = _answers(network, images, asks)
    for row, (sample, ready) in enumerate(held):
        logits, evidence, contribution, deviation, members = (
            None if t is None else t[row].float().cpu() for t in told
        )
        assert logits is not None
        yield Predicted(sample, logits, evidence, contribution, ready, deviation, members)


def _answers(network: nn.Module, images: Tensor, asks: bool) -> tuple[Tensor | None, ...]:
    """Logits, evidence, contribution; in one pass of a network that explains itself. Of several answers two more."""
    if not asks:
        return network(images), None, None, None, None
    explain: Callable[[Tensor], Explanation] | None = getattr(network, "explain", None)
    if explain is None:
        return network(images), network.evidence(images), None, None, None  # type: ignore[operator]
    found = explain(images)
    several = (
        (found.deviation, found.member_logits.movedim(1, 0)) if isinstance(found, Agreed) else (None, None)
    )
    return found.logits, found.evidence, found.contribution, *several


@contextmanager
def _asking(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, and every module's own mode afterwards."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
