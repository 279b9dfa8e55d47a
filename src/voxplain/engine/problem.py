"""A model, a case and questions about it: all that a method needs, and all that it may touch."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from voxplain.case import Case
from voxplain.engine.gradients import GradientEngine
from voxplain.engine.layout import Layout
from voxplain.engine.passes import Passes
from voxplain.engine.plan import Plan
from voxplain.engine.predict import predict_class, predict_segmentation
from voxplain.engine.runner import Progress, Runner
from voxplain.engine.samplers import Fixed, NoiseField, Sampler, clean
from voxplain.engine.store import MapStore
from voxplain.errors import InputError, ModelError, TargetError
from voxplain.model.model import Model
from voxplain.target.parse import parse_target
from voxplain.target.scene import Resolved, Scene, unique
from voxplain.target.targets import Target

if TYPE_CHECKING:
    from voxplain.engine.layers import LayerView
    from voxplain.target.region import Region

T = TypeVar("T")
# Share of the common foreground about which overlapping windows may disagree before it is said.
DISAGREEMENT = 0.15


@dataclass(frozen=True)
class Gradients:
    """What `Problem.gradient` found.

    Attributes:
        maps: per target, Σ over draws of factor × gradient, (C, *spatial).
        squares: per target, Σ over draws of (factor × gradient)² / factor where asked for.
        scores: (draws, T); NaN for absent targets.
        agreement: per target, the correlation of the maps from even and from odd draws, where asked for.
    """

    maps: MapStore
    squares: MapStore | None
    scores: Tensor
    agreement: dict[int, float]


class Problem:
    """The engine: the only place where the network runs.

    On creation the case is prepared, the clean image is predicted (stitched over windows) and the targets are
    resolved against that prediction, once and for all.

    Args:
        model: who is asked.
        case: about which image.
        targets: one or more targets, or texts in the grammar of `voxplain.target.parse_target`.
        seed: of everything random that methods do with this problem.
        batch: samples at once; chosen for the device by default.
        memory: bytes that maps may take in memory before they go to scratch files.
        scratch: folder of these files; the system's temporary folder by default.
        progress: called with (what, done, of how many); raising in it cancels the work.

    Attributes:
        prepared: the case as the network sees it, with the way back.
        image: (C, *spatial) the prepared image; maps have its shape.
        prediction: the clean prediction.
        targets: the resolved targets, absent ones included.

    Raises:
        InputError, ModelError, TargetError, OutOfMemoryError: one line each.
    """

    def __init__(
        self,
        model: Model,
        case: Case,
        targets: Target | str | Sequence[Target | str],
        *,
        seed: int = 0,
        batch: int | None = None,
        memory: int = 2 << 30,
        scratch: str | Path | None = None,
        progress: Progress | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if batch is not None and batch < 1:
            raise InputError(f"batch: found {batch}, expected at least 1")
        if seed < 0:
            raise InputError(f"seed: found {seed}, expected 0 or more")
        self.model, self.case, self.seed, self.memory = model, case, seed, memory
        self.scratch = Path(scratch) if scratch is not None else None
        self.dtype = dtype
        self.prepared = model.prepare(case)
        self.image = self.prepared.image.to(dtype)
        self._require_finite(self.image)
        shape = tuple(self.image.shape[1:])
        layout = Layout(shape, model.windows, dtype)
        self.runner = Runner(model, (self.image.shape[0], *layout.roi), batch=batch, progress=progress)
        self.layout = self._learn_task(layout)
        self.padded = layout.pad(self.image)
        if self.layout is None:
            self.prediction = predict_class(self.runner, self.image)
        else:
            self.prediction = predict_segmentation(self.runner, layout, self.padded)
        self.targets = self._resolve(targets)
        self.plan = Plan(self.layout, layout.padded, [t.functional for t in self.targets])
        self.engine = GradientEngine(self.runner, self.plan, dtype)
        self._clean: Tensor | None = None
        self._once: dict[Hashable, object] = {}

    @property
    def passes(self) -> Passes:
        """Samples that went through the network so far, the prediction included."""
        return self.runner.passes

    @property
    def present(self) -> list[int]:
        """Indices of the targets that can be explained."""
        return self.plan.present

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        return tuple(self.image.shape[1:])

    def remarks(self) -> list[str]:
        """What is doubtful about the prediction itself, one line each."""
        share = self.prediction.disagreement
        if not share > DISAGREEMENT:
            return []
        return [
            f"overlapping windows disagree about {share:.0%} of the foreground that they share: windows of "
            f"{'×'.join(map(str, self.runner.shape[1:]))} voxels may be too small for what this network looks at; "
            "use a larger roi or the whole image, else this is an explanation of a prediction that is itself doubtful"
        ]

    def scores(self, inputs: Sequence[Tensor]) -> Tensor:
        """Scores of all targets on whole prepared inputs (C, *spatial): (n, T), NaN for absent targets."""
        return self.engine.scores(Fixed([self.pad(x) for x in inputs]), self.present)

    def clean_scores(self) -> Tensor:
        """Scores of the clean image, computed once: (T,), NaN for absent targets."""
        if self._clean is None:
            self._clean = self.engine.scores(clean(self.padded), self.present)[0]
        return self._clean

    def remember(self, scores: Tensor) -> None:
        """Keep clean scores (T,) that came with another pass."""
        self._clean = scores

    def gradient(
        self,
        make: Callable[[Problem], Sampler],
        *,
        squares: bool = False,
        halves: bool = False,
        what: str = "gradients",
    ) -> Gradients:
        """Σ over draws of factor × ∂F_t/∂input, for all present targets.

        Args:
            make: builds the draws from this problem (see `voxplain.engine.samplers`).
            squares: also the second moment of the stitched gradient.
            halves: also the agreement of even and odd draws.
        """
        sampler = make(self)
        first = [self._store() for _ in range(2 if halves else 1)]
        second = self._store() if squares else None
        if second is None:
            scores = self.engine.run(
                sampler,
                self.present,
                lambda t, where, block, draw: first[draw % len(first)].add(t, where, block),
                what,
            )
        else:
            scores = self._moments(sampler, first, second, what)
        if isinstance(sampler, Fixed) and len(sampler) == 1 and sampler.images[0] is self.padded:
            self.remember(scores[0])
        agreement = {
            t: _correlation(*(self._finish(half[t]) for half in first)) for t in self.present if halves
        }
        maps = first[0]
        maps.transform(lambda t, m: self._finish(m + first[1][t] if halves else m))
        return Gradients(maps, second, scores, agreement)

    def _moments(self, sampler: Sampler, first: list[MapStore], second: MapStore, what: str) -> Tensor:
        """Squares are of the stitched gradient, so with several windows a draw is finished before the next."""
        everywhere = tuple(slice(0, s) for s in self.plan.shape)

        def take(t: int, gradient: Tensor, draw: int) -> None:
            first[draw % len(first)].add(t, everywhere, gradient)
            finished = self._finish(gradient)
            before = second[t] if t in second else 0.0  # noqa: SIM401  a store is no dict
            second[t] = before + finished**2 / float(sampler.factor(draw, everywhere))

        if len(self.plan) == 1:
            return self.engine.run(
                sampler, self.present, lambda t, _, block, draw: take(t, block, draw), what
            )
        rows = []
        for draw in range(len(sampler)):
            one = self._store()
            name = f"{what} {draw + 1}/{len(sampler)}"
            rows.append(self.engine.run(_OneDraw(sampler, draw), self.present, _adder(one), name))
            for t in self.present:
                take(t, one[t], draw)
        return torch.cat(rows)

    def occlusion(self, regions: Sequence[Region], baseline: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of every score when a region is replaced by the baseline.

        Args:
            regions: R regions of the prepared image, which may overlap.
            baseline: (C, *spatial) what replaces it.

        Returns:
            (T, R) ``F(x) − F(x with the region replaced)`` and (T,) ``F(x)``; NaN for absent targets.
        """
        from voxplain.engine.occlusion import Occluder

        return Occluder(self.engine, self.padded, self.pad(baseline)).run(regions, self.present)

    def occlusion_cost(self, regions: Sequence[Region]) -> Passes:
        """Passes that `occlusion` will take."""
        from voxplain.engine.occlusion import Occluder

        return Occluder(self.engine, self.padded, self.padded).cost(regions, self.present)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` returned when it was first asked for under this key."""
        if key not in self._once:
            self._once[key] = make()
        return cast("T", self._once[key])

    def layer(self, name: str | None = None) -> LayerView:
        """Activations and gradients of a layer; the deepest spatial one by default (see `LayerView`)."""
        from voxplain.engine.layers import LayerView

        return LayerView(self, name)

    def pad(self, image: Tensor) -> Tensor:
        """(C, *spatial) -> what the windows are cut from."""
        return image.to(self.dtype) if self.layout is None else self.layout.pad(image.to(self.dtype))

    def noise(self, seed_offset: int = 0) -> NoiseField:
        """Reproducible noise on the prepared image."""
        layout = self.layout or Layout(self.spatial_shape, self.model.windows, self.dtype)
        return NoiseField(layout, self.image.shape[0], self.seed + seed_offset, self.dtype)

    def store(self, channels: int | None = None) -> MapStore:
        """Room for one map (channels, *spatial) per target."""
        shape = (channels or self.image.shape[0], *self.spatial_shape)
        return MapStore(shape, len(self.present), dtype=self.dtype, limit=self.memory, scratch=self.scratch)

    def _store(self) -> MapStore:
        shape = (self.image.shape[0], *self.plan.shape)
        return MapStore(shape, len(self.present), dtype=self.dtype, limit=self.memory, scratch=self.scratch)

    def _finish(self, padded: Tensor) -> Tensor:
        return padded if self.layout is None else self.layout.unpad_gradient(padded)

    def _learn_task(self, layout: Layout) -> Layout | None:
        """The layout of a segmentation, ``None`` for a classifier."""
        task = self._task(layout)
        if task == "segmentation":
            return layout
        if len(layout) > 1 or layout.is_padded:
            raise ModelError(
                f"{self.model.name}: it is a classifier, which sees the whole image at once, but windows of "
                f"{layout.roi} do not equal the prepared image's {layout.shape}; leave roi out"
                + (f" and resample with size={layout.roi}" if self.model.fixed_shape else "")
            )
        return None

    def _task(self, layout: Layout) -> str:
        try:
            return self.model.task
        except ModelError:
            # small probing inputs were refused; a window of the real size tells
            first = layout.pad(self.image)[(slice(None), *layout.slices[0])]
            with self.runner.session(), torch.no_grad():
                self.runner.forward(first[None].to(self.model.device, self.dtype))
            return self.model.task

    def _resolve(self, targets: Target | str | Sequence[Target | str]) -> tuple[Resolved, ...]:
        asked = [targets] if isinstance(targets, (Target, str)) else list(targets)
        if not asked:
            raise TargetError("targets: none was given; ask for 'all' or name a class")
        scene = Scene(
            classes=self.model.classes,
            channels=self.model.channels_out,
            output=self.model.output,
            task=self.model.task,
            spacing=tuple(float(s) for s in self.prepared.spacing),
            unit="px" if self.case.geometry is None else "mm",
            prediction=self.prediction,
            label=self.prepared.label,
            class_index=self.model.class_index,
            bring=self.prepared.bring,
            voxel=self.prepared.voxel,
            read_mask=self._read_mask,
        )
        resolved = []
        for target in asked:
            parsed = parse_target(target, task=self.model.task) if isinstance(target, str) else target
            resolved += parsed.resolve(scene)
        return unique(resolved)

    def label_array(self, source: object) -> np.ndarray:
        """A label image on the case's grid from an array or a path."""
        return np.asarray(source) if not isinstance(source, (str, Path)) else self._read_mask(str(source))

    def _read_mask(self, path: str) -> np.ndarray:
        from voxplain.case import read_mask

        return read_mask(path, self.case)

    def _require_finite(self, image: Tensor) -> None:
        bad = int((~torch.isfinite(image)).sum())
        if bad:
            raise InputError(
                f"{self.case.id}: the prepared image has {bad} NaN or infinite voxels; "
                "read it with fill_nan=0 or change the preparation"
            )


@dataclass(frozen=True)
class _OneDraw:
    """One draw of a sampler as a sampler of its own."""

    whole: Sampler
    draw: int

    def __len__(self) -> int:
        return 1

    def input(self, draw: int, where: tuple[slice, ...]) -> Tensor:
        return self.whole.input(self.draw, where)

    def factor(self, draw: int, where: tuple[slice, ...]) -> Tensor | float:
        return self.whole.factor(self.draw, where)


def _adder(store: MapStore) -> Callable[[int, tuple[slice, ...], Tensor, int], None]:
    return lambda t, where, block, _: store.add(t, where, block)


def _correlation(a: Tensor, b: Tensor) -> float:
    """Pearson correlation of two maps; NaN where one is constant."""
    x, y = (m.flatten().double() - m.double().mean() for m in (a, b))
    norm = float(x.norm() * y.norm())
    return float(x @ y) / norm if norm > 0 else float("nan")
