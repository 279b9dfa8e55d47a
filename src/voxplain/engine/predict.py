"""The clean stitched prediction, without ever holding all classes at all voxels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from voxplain.engine.certainty import Tally
from voxplain.engine.footprint import footprint
from voxplain.engine.layout import Layout, Slices
from voxplain.engine.runner import Runner
from voxplain.errors import ModelError
from voxplain.model.checks import PassError
from voxplain.target.prediction import Prediction, decide, signature

T = TypeVar("T")


def predict(runner: Runner, layout: Layout | None, image: Tensor, padded: Tensor) -> Prediction:
    """The prediction of an image (C, *spatial), stitched over windows of ``padded``; no layout for a classifier.

    Raises:
        ModelError: the network refuses the windows' size; a size that it would take is named.
    """
    return _in_a_layout(runner, lambda: _predict(runner, layout, image, padded))


def learn_weights(runner: Runner, layout: Layout | None, image: Tensor, padded: Tensor) -> None:
    """Find out whether the network takes its weights in their faster layout, where no prediction shows it by the way.

    Fake tensors have told for most networks; for others one window is run.

    Raises:
        ModelError: as `predict`.
    """
    if runner.footprint is not None:
        return
    first = image if layout is None else padded[(slice(None), *layout.slices[0])]

    def work(_: list[int]) -> None:
        with torch.no_grad():
            runner.forward(first[None].to(runner.model.device))

    def run() -> None:
        with runner.session():
            runner.each([0], work, "trying the network")

    _in_a_layout(runner, run)


def _in_a_layout(runner: Runner, run: Callable[[], T]) -> T:
    """What ``run`` returns, with the weights as they are where the network fails with the faster layout."""
    try:
        return run()
    except PassError as error:
        # the network may look at its weights in a way that their faster layout forbids
        if not runner.keep_layout():
            raise ModelError(f"{error}{_size_hint(runner)}") from error
    try:
        return run()
    except PassError as error:
        raise ModelError(f"{error}{_size_hint(runner)}") from error


def _predict(runner: Runner, layout: Layout | None, image: Tensor, padded: Tensor) -> Prediction:
    if layout is None:
        return predict_class(runner, image)
    return predict_segmentation(runner, layout, padded)


def _size_hint(runner: Runner) -> str:
    """Which divisible size the network would take instead, tried on fake tensors."""
    channels, *sizes = runner.shape
    if runner.footprint is not None:
        return ""
    for divisor in (2, 4, 8, 16, 32, 64):
        rounded = tuple(-(-s // divisor) * divisor for s in sizes)
        if list(rounded) != sizes and footprint(runner.model, (channels, *rounded)) is not None:
            shown = "×".join(map(str, rounded))
            return (
                f"; it takes sizes divisible by {divisor}, such as {shown}: pad with prepare.divisible={divisor} "
                "(--divisible), or slide windows of such a size (roi)"
            )
    return ""


def predict_class(runner: Runner, image: Tensor) -> Prediction:
    """A classifier's output on the whole image (C, *spatial)."""
    runner.check_room(gradient=False)
    out: list[Tensor] = []

    def work(_: list[int]) -> None:
        with torch.no_grad():
            out.append(runner.forward(image[None].to(runner.model.device))[0].cpu())

    with runner.session():
        runner.each([0], work, "prediction")
    first, second, positive = decide(out[0], runner.model.output)
    return Prediction(first, second, positive, output=out[0])


def predict_segmentation(runner: Runner, layout: Layout, padded: Tensor) -> Prediction:
    """Stitched classes of the image; ``padded`` is (C, *padded).

    Windows are visited in the order of the first axis, and a slab is decided as soon as no later window
    reaches it: memory is (K, window extent, rest) instead of (K, *image).
    """
    runner.check_room(gradient=False)
    slabs = _Slabs(layout, runner)
    order = sorted(range(len(layout)), key=lambda w: layout.slices[w][0].start)

    def work(batch: list[int]) -> None:
        x = torch.stack([padded[(slice(None), *layout.slices[w])] for w in batch]).to(runner.model.device)
        with torch.no_grad():
            z = runner.forward(x)
        found = [(w, sample.cpu(), slabs.sign(sample)) for w, sample in zip(batch, z, strict=True)]
        for w, sample, sign in found:
            slabs.add(w, sample, sign)

    with runner.session():
        runner.each(order, work, "prediction")
    return slabs.finish()


class _Slabs:
    def __init__(self, layout: Layout, runner: Runner) -> None:
        self.layout, self.runner = layout, runner
        self.start = 0
        self.band: Tensor | None = None
        self.first = torch.zeros(layout.padded, dtype=torch.int16)
        self.second = torch.zeros(layout.padded, dtype=torch.int16)
        self.positive: Tensor | None = None
        # what the first window to see a voxel said of it, -1 for none yet
        self.earlier = torch.full(layout.padded, -1, dtype=torch.int16) if len(layout) > 1 else None
        self.shared = self.differing = 0
        self.tally = Tally(layout, runner.model.output)

    def sign(self, z: Tensor) -> Tensor | None:
        """What a window says by itself, as one number per voxel; ``None`` where nothing is compared."""
        return None if self.earlier is None else signature(z, self.runner.model.output)

    def add(self, window: int, z: Tensor, sign: Tensor | None) -> None:
        where = self.layout.slices[window]
        if sign is not None:
            self._compare(where, sign)
        if self.band is None:
            extent = max(s.stop - s.start for s in (w[0] for w in self.layout.slices))
            self.band = torch.zeros((z.shape[0], extent, *self.layout.padded[1:]), dtype=z.dtype)
        if where[0].start > self.start:
            self._decide(where[0].start)
        inside = (slice(None), slice(0, where[0].stop - where[0].start), *where[1:])
        if len(self.layout) == 1:
            self.band = z
        else:
            self.band[inside] += z * self.layout.weight(window).to(z.dtype)

    def _compare(self, where: Slices, own: Tensor) -> None:
        """Count where this window's own classes differ from those of the windows before it."""
        assert self.earlier is not None
        before = self.earlier[where]
        shared = (before >= 0) & ((before > 0) | (own > 0))
        self.shared += int(shared.sum())
        self.differing += int((shared & (before != own)).sum())
        self.earlier[where] = torch.where(before >= 0, before, own)

    def _decide(self, upto: int) -> None:
        """Decide the planes before ``upto`` and move the band on."""
        assert self.band is not None
        count = min(upto - self.start, self.band.shape[1])
        here = slice(self.start, self.start + count)
        first, second, positive = decide(self.band[:, :count], self.runner.model.output)
        self.first[here], self.second[here] = first, second
        self.tally.add(self.start, self.band[:, :count], first, positive)
        if positive is not None:
            if self.positive is None:
                self.positive = torch.zeros((positive.shape[0], *self.layout.padded), dtype=torch.bool)
            self.positive[:, here] = positive
        rest = self.band[:, count:].clone()
        self.band[:, : rest.shape[1]] = rest
        self.band[:, rest.shape[1] :] = 0
        self.start += count

    def finish(self) -> Prediction:
        self._decide(self.layout.padded[0])
        crop = self.layout.unpad
        positive = crop(self.positive).clone() if self.positive is not None else None
        disagreement = self.differing / self.shared if self.shared else float("nan")
        first = crop(self.first).clone()
        certainty = self.tally.finish(first, positive)
        return Prediction(
            first, crop(self.second).clone(), positive, disagreement=disagreement, certainty=certainty
        )
