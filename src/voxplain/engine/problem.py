"""A model, a case and questions about it: all that a method needs, and all that it may touch."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from voxplain.case import Case
from voxplain.engine.backward import Backward
from voxplain.engine.canvas import Canvas
from voxplain.engine.footprint import footprint
from voxplain.engine.gradients import GradientEngine
from voxplain.engine.layout import Layout
from voxplain.engine.moments import Moments, OneDraw, adder, correlation
from voxplain.engine.passes import Passes
from voxplain.engine.plan import Plan
from voxplain.engine.predict import predict_class, predict_segmentation
from voxplain.engine.runner import Progress, Runner
from voxplain.engine.samplers import Fixed, NoiseField, Sampler, clean
from voxplain.engine.store import MapStore
from voxplain.errors import InputError, ModelError, TargetError
from voxplain.model.checks import PassError
from voxplain.model.model import Model
from voxplain.target.parse import parse_target
from voxplain.target.prediction import Prediction
from voxplain.target.scene import Resolved, Scene, unique
from voxplain.target.targets import Target

if TYPE_CHECKING:
    from voxplain.engine.changes import VoxelChange
    from voxplain.engine.game import Game
    from voxplain.engine.layers import LayerView
    from voxplain.engine.players import Player
    from voxplain.target.region import Region

T = TypeVar("T")
# Share of the common foreground about which overlapping windows may disagree before it is said.
DISAGREEMENT = 0.15


@dataclass(frozen=True)
class Gradients:
    """What `Problem.gradient` found.

    Attributes:
        maps: per target, Σ over draws of factor × gradient, (C, *spatial).
        variance: per target, the gradient's variance over the draws, weighted by their factors, where asked for.
        scores: (draws, T); NaN for absent targets.
        agreement: per target, the correlation of the maps from even and from odd draws, where asked for.
    """

    maps: MapStore
    variance: MapStore | None
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
        self.prediction = self._predict()
        self.targets = self._resolve(targets)
        functionals = [t.functional for t in self.targets]
        self.plan = Plan(self.layout, layout.padded, functionals, keep=self.runner.batch + 2)
        self.engine = GradientEngine(self.runner, self.plan, dtype)
        for remark in self.remarks():
            warnings.warn(f"{case.id}: {remark}", stacklevel=2)
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

    def at(self, image: Tensor, *, seed: int | None = None) -> Problem:
        """The same questions about another prepared image, such as a noisy copy; nothing is predicted again.

        Targets, regions and rivals stay frozen on the clean prediction, and network, windows, batch and the count
        of passes are shared. Only ``image`` and ``padded`` differ, and what is computed from them: the clean scores
        and the answers of `once`, of which just the default layer, a fact about the network, is carried over.
        ``case`` and ``prepared`` remain the clean ones.

        Args:
            image: (C, *spatial), of the prepared image's shape.
            seed: of the new problem; this one's by default.

        Raises:
            InputError: another shape, or values that are not finite.
        """
        if image.shape != self.image.shape:
            raise InputError(
                f"{self.case.id}: found an image of {tuple(image.shape)}, expected {tuple(self.image.shape)} as the "
                "prepared one"
            )
        other = copy.copy(self)
        other.image = image.to(self.dtype)
        other._require_finite(other.image)
        other.padded = other.pad(other.image)
        other.seed = self.seed if seed is None else seed
        other._clean = None
        other._once = {k: v for k, v in self._once.items() if k == "default layer"}
        return other

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
        variance: bool = False,
        halves: bool = False,
        what: str = "gradients",
        backward: Backward | None = None,
    ) -> Gradients:
        """Σ over draws of factor × ∂F_t/∂input, for all present targets.

        Args:
            make: builds the draws from this problem (see `voxplain.engine.samplers`).
            variance: also the variance of the stitched gradient over the draws, whose factors must be numbers.
            halves: also the agreement of even and odd draws.
            backward: another backward pass than the plain gradient's; not together with ``variance``.
        """
        sampler = make(self)
        stores = (2 if halves else 1) + (3 if variance else 0)
        first = [self.padded_store(share=stores) for _ in range(2 if halves else 1)]
        moments = None
        if not variance:
            scores = self.engine.run(
                sampler,
                self.present,
                lambda t, where, block, draw: first[draw % len(first)].add(t, where, block),
                what,
                backward,
            )
        else:
            moments = Moments(self.store(share=stores), self.store(share=stores))
            scores = self._moments(sampler, first, moments, what)
        # not from other backward passes, whose forward pass may round otherwise
        plain = backward is None
        if plain and isinstance(sampler, Fixed) and len(sampler) == 1 and sampler.images[0] is self.padded:
            self.remember(scores[0])
        agreement = {
            t: correlation(*(self._finish(half[t]) for half in first)) for t in self.present if halves
        }
        maps = first[0]
        maps.transform(lambda t, m: self._finish(m + first[1][t] if halves else m))
        return Gradients(maps, moments.variance(maps) if moments else None, scores, agreement)

    def _moments(self, sampler: Sampler, first: list[MapStore], moments: Moments, what: str) -> Tensor:
        """Squares are of the stitched gradient, so with several windows a draw is finished before the next."""
        everywhere = tuple(slice(0, s) for s in self.plan.shape)

        def take(t: int, weighted: Tensor, draw: int) -> None:
            first[draw % len(first)].add(t, everywhere, weighted)
            weight = float(sampler.factor(draw, everywhere))
            moments.add(t, self._finish(weighted) / weight, weight)

        if len(self.plan) == 1:
            return self.engine.run(
                sampler, self.present, lambda t, _, block, draw: take(t, block, draw), what
            )
        rows = []
        for draw in range(len(sampler)):
            one = self.padded_store(share=len(first) + 3)
            name = f"{what} {draw + 1}/{len(sampler)}"
            rows.append(self.engine.run(OneDraw(sampler, draw), self.present, adder(one), name))
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

    def game(self, players: Sequence[Player], baseline: Tensor) -> Game:
        """The game whose players are present as in the image or absent as in the baseline (C, *spatial).

        Raises:
            InputError: players overlap.
        """
        from voxplain.engine.game import Game

        return Game(self.engine, self.padded, self.pad(baseline), players)

    def canvas(self) -> Canvas:
        """The image, of which changed versions are made window by window."""
        return Canvas(self.image, self.padded, self.layout)

    def effects(self, changes: Sequence[VoxelChange]) -> tuple[Tensor, Tensor]:
        """Loss of every score under each of R changes of the image: (T, R) as in `occlusion`, and (T,) ``F(x)``."""
        from voxplain.engine.changes import Changer

        return Changer(self.engine, self.canvas()).run(changes, self.present)

    def effects_cost(self, changes: Sequence[Region]) -> Passes:
        """Passes that `effects` will take for changes within these regions."""
        from voxplain.engine.changes import Changer

        return Changer(self.engine, self.canvas()).cost(changes, self.present)

    def sampled_scores(self, sampler: Sampler, what: str = "scores") -> Tensor:
        """Scores of all targets at every draw of a sampler: (n, T), NaN for absent targets."""
        return self.engine.scores(sampler, self.present, what)

    def has_done(self, key: Hashable) -> bool:
        """Whether `once` has an answer under this key."""
        return key in self._once

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

    def noise(self) -> NoiseField:
        """Reproducible noise on the prepared image."""
        layout = self.layout or Layout(self.spatial_shape, self.model.windows, self.dtype)
        return NoiseField(layout, self.image.shape[0], self.seed, self.dtype)

    def store(self, channels: int | None = None, share: int = 1) -> MapStore:
        """Room for one map (channels, *spatial) per target; one of ``share`` such rooms that are in use at once."""
        return self._room((channels or self.image.shape[0], *self.spatial_shape), share)

    def padded_store(self, channels: int | None = None, share: int = 1) -> MapStore:
        """Like `store`, on the padded image."""
        return self._room((channels or self.image.shape[0], *self.plan.shape), share)

    def _room(self, shape: tuple[int, ...], share: int) -> MapStore:
        limit = self.memory // share
        return MapStore(shape, len(self.present), dtype=self.dtype, limit=limit, scratch=self.scratch)

    def unpad_gradient(self, padded: Tensor) -> Tensor:
        """The adjoint of `pad`: a gradient (C, *padded) -> (C, *spatial)."""
        return self._finish(padded)

    def _finish(self, padded: Tensor) -> Tensor:
        return padded if self.layout is None else self.layout.unpad_gradient(padded)

    def _predict(self) -> Prediction:
        try:
            if self.layout is None:
                return predict_class(self.runner, self.image)
            return predict_segmentation(self.runner, self.layout, self.padded)
        except PassError as error:
            raise ModelError(f"{error}{self._size_hint()}") from error

    def _size_hint(self) -> str:
        """Which divisible size the network would take instead, tried on fake tensors."""
        channels, *sizes = self.runner.shape
        if self.runner.footprint is not None:
            return ""
        for divisor in (2, 4, 8, 16, 32, 64):
            rounded = tuple(-(-s // divisor) * divisor for s in sizes)
            if list(rounded) != sizes and footprint(self.model, (channels, *rounded)) is not None:
                shown = "×".join(map(str, rounded))
                return (
                    f"; it takes sizes divisible by {divisor}, such as {shown}: pad with prepare.divisible={divisor} "
                    "(--divisible), or slide windows of such a size (roi)"
                )
        return ""

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
            voxel=self._voxel,
            read_mask=self._read_mask,
        )
        resolved: list[Resolved] = []
        for target in asked:
            parsed = parse_target(target, task=self.model.task) if isinstance(target, str) else target
            resolved += [t for t in parsed.resolve(scene) if not any(t.repeats(u) for u in resolved)]
        return unique(resolved)

    def _voxel(self, index: Sequence[int]) -> tuple[int, ...]:
        if len(index) != self.case.spatial_dims:
            raise TargetError(
                f"voxel {tuple(index)}: found {len(index)} indices, the case has {self.case.spatial_dims} axes"
            )
        return self.prepared.voxel(index)

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
                "read it with fill_nan=0 (--fill-nan 0) or change the preparation"
            )
