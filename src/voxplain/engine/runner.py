"""The one place that calls the network: batches, memory, counting, layout of weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TypeVar

import torch
from torch import Tensor, nn

from voxplain.engine.checkpointing import not_checkpointed
from voxplain.engine.footprint import Footprint, available_bytes, footprint
from voxplain.engine.passes import Passes, chunks
from voxplain.engine.process_memory import hand_back, ran_out
from voxplain.errors import OutOfMemoryError
from voxplain.model.checks import NotFiniteError, PassError
from voxplain.model.model import Model

Item = TypeVar("Item")
Progress = Callable[[str, int, int], None]

# Batches of about this many voxels fill the machine; larger ones were not faster (benchmarks/batch.py).
CPU_VOXELS = 2 * 64**3
CUDA_VOXELS = 16 * 96**3
LARGEST_BATCH = 64
# Share of the free memory that activations may take.
MEMORY_SHARE = 0.6


class Runner:
    """Runs samples of one shape through a frozen model.

    Args:
        shape: (C, *roi) of one sample.
        batch: samples at once; chosen from the sample's size and the free memory by default.
        progress: told (what, done, of how many); an exception that it raises cancels the work.
    """

    def __init__(
        self,
        model: Model,
        shape: tuple[int, ...],
        *,
        batch: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.model = model
        self.shape = shape
        self.passes = Passes()
        self.progress = progress
        self._relaid = True
        self.footprint = self._measured()
        self.fixed = model.fixed_batch
        self.batch = self.fixed or batch or self._default_batch()

    def _measured(self) -> Footprint | None:
        """The footprint; where only the weights' layout stands in its way, they keep their own from now on."""
        with self.session():
            found = footprint(self.model, self.shape)
        if found is None:
            self._relaid = False
            with self.session():
                found = footprint(self.model, self.shape)
            self._relaid = found is None
        return found

    def keep_layout(self) -> bool:
        """Leave the weights as they are from now on; whether that changes anything."""
        changed, self._relaid = self._relaid, False
        if changed and self.footprint is None:
            self.footprint = self._measured()
            self._relaid = False
        return changed

    def _default_batch(self) -> int:
        voxels = 1
        for size in self.shape[1:]:
            voxels *= size
        wanted = (CPU_VOXELS if self.model.device.type == "cpu" else CUDA_VOXELS) // max(voxels, 1)
        batch = min(max(wanted, 2), LARGEST_BATCH)
        if self.footprint and self.footprint.gradient_bytes:
            room = MEMORY_SHARE * available_bytes(self.model.device)
            batch = min(batch, max(int(room // self.footprint.gradient_bytes), 1))
        return batch

    def check_room(self, *, gradient: bool) -> None:
        """Refuse a sample that would kill the process.

        Raises:
            OutOfMemoryError: naming what one pass needs and what is free.
        """
        if self.footprint is None:
            return
        needed = self.footprint.gradient_bytes if gradient else self.footprint.forward_bytes
        free = available_bytes(self.model.device)
        if needed > 0.95 * free:
            size = "×".join(map(str, self.shape[1:]))
            raise OutOfMemoryError(
                f"one {'gradient' if gradient else 'forward'} pass on {size} voxels needs about "
                f"{needed / 2**30:.1f} GiB but {free / 2**30:.1f} GiB are free on {self.model.device}; "
                f"use smaller windows (roi={max(32, min(self.shape[1:]) // 2)})"
            )

    @contextmanager
    def session(self) -> Iterator[None]:
        """The module frozen, its convolution weights laid out for speed; everything as it was afterwards.

        Checkpoints are plain calls meanwhile.
        """
        laid_out = _channels_last(self.model) if self._relaid else nullcontext()
        with self.model.frozen(), laid_out, not_checkpointed():
            yield

    def forward(self, x: Tensor) -> Tensor:
        """Raw outputs of a batch (B, C, *roi), counted; gradients flow if ``x`` asks for them."""
        lone = x.shape[0] == 1 and self.fixed is None
        try:
            if lone and self.footprint is not None and self.footprint.pairs_pay:
                # the twin's output is dropped; detached, it would look as if the network had detached it
                out = self.model.forward(torch.cat([x, x]))[:1]
            else:
                out = self.model.forward(x)
        except NotFiniteError as error:
            if not self.passes.forward:
                raise
            raise NotFiniteError(
                f"{error}. The image itself gave finite ones: a changed image, such as the baseline or one with parts "
                "removed, is what the network cannot take; choose another baseline"
            ) from error
        self.passes.forward += x.shape[0]
        return out

    def fits(self, rows: int, count: int) -> bool:
        """Whether a layer that answers each sample by one row may give so many rows in a pass of ``count`` samples."""
        idle_twin = 2 if count == 1 else count
        return rows in (count, idle_twin, self.fixed)

    def each(
        self, items: Sequence[Item], work: Callable[[list[Item]], None], what: str, inflation: int = 1
    ) -> None:
        """Do ``work`` on batches of items, halving the batch where memory runs out.

        ``work`` must leave no trace when it fails before its first result.

        Args:
            inflation: how many times the memory of a plain pass an item takes.
        """
        queue = [
            list(items[c])
            for c in chunks(len(items), max(self.batch // inflation, 1), exact=self.fixed is not None)
        ]
        done, total = 0, len(items)
        self._tell(what, done, total)
        while queue:
            batch = queue.pop(0)
            try:
                work(batch)
            except (RuntimeError, MemoryError, PassError) as error:
                if not ran_out(error):
                    raise
                self._give_way(batch, error)
                queue = [batch[: len(batch) // 2], batch[len(batch) // 2 :], *queue]
            else:
                done += len(batch)
                self._tell(what, done, total)
                continue
            # only now, since the error held what the pass had made
            hand_back(self.model.device)

    def _give_way(self, batch: Sequence[object], error: BaseException) -> None:
        if len(batch) == 1 or self.fixed:
            size = "×".join(map(str, self.shape[1:]))
            raise OutOfMemoryError(
                f"a single sample of {size} voxels does not fit into the memory of {self.model.device}; "
                "use smaller windows (roi) or another device"
            ) from error
        self.batch = max(len(batch) // 2, 1)

    def _tell(self, what: str, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(what, done, total)


_CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@contextmanager
def _channels_last(model: Model) -> Iterator[None]:
    """Lay convolution weights out channels-last on the CPU, where oneDNN is up to twice as fast with it.

    Only torch's own convolutions, since other modules may look at their weights in ways that the layout forbids. The
    parameters' own storage is put back afterwards, so they are bit-identical.
    """
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    swapped: list[tuple[nn.Parameter, Tensor]] = []
    if model.device.type == "cpu" and not isinstance(model.module, torch.jit.ScriptModule):
        for module in model.module.modules():
            weight = module.weight if type(module) in _CONVOLUTIONS else None
            if isinstance(weight, nn.Parameter) and weight.dim() in formats and weight.is_contiguous():
                swapped.append((weight, weight.data))
                weight.data = weight.data.contiguous(memory_format=formats[weight.dim()])
    try:
        yield
    finally:
        for parameter, data in swapped:
            parameter.data = data
