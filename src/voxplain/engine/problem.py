"""A model, a case and questions about it: all that a method needs, and all that it may touch."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from voxplain.case import Case, read_mask
from voxplain.engine.backward import Backward
from voxplain.engine.canvas import Canvas
from voxplain.engine.draws import Gradients, keep_clean_scores, over_draws
from voxplain.engine.gradients import GradientEngine
from voxplain.engine.image_check import require_finite
from voxplain.engine.layout import Layout
from voxplain.engine.passes import Passes
from voxplain.engine.plan import Plan
from voxplain.engine.predict import learn_weights, predict
from voxplain.engine.prediction_check import require_fitting
from voxplain.engine.remarks import remarks
from voxplain.engine.resolve import resolve
from voxplain.engine.runner import Progress, Runner
from voxplain.engine.samplers import Fixed, NoiseField, Sampler, clean
from voxplain.engine.store import MapStore
from voxplain.engine.task import learn_layout
from voxplain.errors import InputError
from voxplain.model.model import Model
from voxplain.target.targets import Target

if TYPE_CHECKING:
    from voxplain.engine.banded import Take
    from voxplain.engine.changes import VoxelChange
    from voxplain.engine.game import Game
    from voxplain.engine.gradients import Add
    from voxplain.engine.layers import LayerView
    from voxplain.engine.players import Player
    from voxplain.target.prediction import Prediction
    from voxplain.target.region import Region

T = TypeVar("T")


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
        prediction: of this case by this model, where it is known from before (`voxplain.engine.prediction_file`): then
            the network is not run for it.

    Attributes:
        prepared: the case as the network sees it, with the way back.
        image: (C, *spatial) the prepared image; maps have its shape.
        prediction: the clean prediction.
        targets: the resolved targets, absent ones included.

    Raises:
        InputError, ModelError, TargetError, OutOfMemoryError: one line each.

    >>> import numpy as np, torch, voxplain as vx
    >>> network = torch.nn.Conv2d(1, 2, 1)  # bright: twice the intensity
    >>> network.weight.data = torch.tensor([0.0, 2.0]).reshape(2, 1, 1, 1)
    >>> network.bias.data = torch.tensor([1.0, 0.0])
    >>> model = vx.load_model(network, classes=["dark", "bright"])
    >>> case = vx.Case("three voxels", np.array([[[0.0, 1.0, 3.0]]]))
    >>> problem = vx.Problem(model, case, ["bright"])
    >>> problem.prediction.labels.tolist(), problem.clean_scores().tolist()
    ([[0, 1, 1]], [4.0])
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
        prediction: Prediction | None = None,
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
        require_finite(self.image, self.case.id)
        shape = tuple(self.image.shape[1:])
        layout = Layout(shape, model.windows, dtype)
        self.runner = Runner(model, (self.image.shape[0], *layout.roi), batch=batch, progress=progress)
        self.layout = learn_layout(self.runner, layout, self.image)
        self.padded = layout.pad(self.image)
        self.prediction = self._predicted(prediction)
        self.targets = resolve(targets, model, self.prepared, self.prediction)
        functionals = [t.functional for t in self.targets]
        self.plan = Plan(self.layout, layout.padded, functionals, keep=self.runner.batch + 2)
        self.engine = GradientEngine(self.runner, self.plan, dtype)
        for remark in self.remarks():
            warnings.warn(f"{case.id}: {remark}", stacklevel=2)
        self._clean: Tensor | None = None
        self._once: dict[Hashable, object] = {}
        # as `afresh` gives them back, whatever is learned and changed meanwhile
        self._made = copy.copy(self.runner)

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
        and the answers of `once`, of which just facts about the network are carried over: its default layer, and the
        axes and number of its layers' feature maps.
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
        require_finite(other.image, other.case.id)
        other.padded = other.pad(other.image)
        other.seed = self.seed if seed is None else seed
        other._clean = None
        other._once = {k: v for k, v in self._once.items() if _is_of_the_network(k)}
        return other

    def afresh(self, *, clean: Tensor | None = None) -> Problem:
        """The same questions as if nothing had been asked yet, so that no answer depends on what was asked before.

        Nothing is remembered and passes are counted from nought. Batches are as large as when the problem was made,
        whether memory ran out since or the network proved to couple the samples of a batch; the layout of the weights
        is that of then, too. What is done with it touches neither this problem nor others that came from it.

        Args:
            clean: (T,) the clean scores, where they are known.

        Raises:
            InputError: another number of scores.
        """
        if clean is not None and tuple(clean.shape) != (len(self.targets),):
            raise InputError(
                f"{self.case.id}: found clean scores of shape {tuple(clean.shape)}, expected ({len(self.targets)},)"
            )
        other = copy.copy(self)
        # a copy around the same module: to give up batches is written into the model
        other.model = copy.copy(self.model)
        other.model.fixed_batch = self._made.fixed
        other.runner = copy.copy(self._made)
        other.runner.model, other.runner.passes = other.model, Passes()
        other.engine = GradientEngine(other.runner, self.plan, self.dtype)
        other._clean = None if clean is None else clean.double()
        other._once = {}
        return other

    def remarks(self) -> list[str]:
        """What is doubtful about the prediction itself, one line each."""
        return remarks(self.prediction, self.layout)

    def scores(self, inputs: Sequence[Tensor]) -> Tensor:
        """Scores of all targets on whole prepared inputs (C, *spatial): (n, T), NaN for absent targets."""
        return self.engine.scores(Fixed([self.pad(x) for x in inputs]), self.present)

    def clean_scores(self) -> Tensor:
        """Scores of the clean image, computed once: (T,), NaN for absent targets."""
        if self._clean is None:
            self._clean = self.engine.scores(clean(self.padded), self.present)[0]
        return self._clean

    @property
    def knows_clean_scores(self) -> bool:
        """Whether `clean_scores` costs nothing any more."""
        return self._clean is not None

    def run_one_by_one(self) -> None:
        """No batches from now on, and nothing kept that came from one."""
        self.model.fixed_batch = self.runner.fixed = self.runner.batch = 1
        self._clean = None
        self._once = {k: v for k, v in self._once.items() if k == "default layer"}

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
        return over_draws(self, make(self), variance=variance, halves=halves, what=what, backward=backward)

    def banded(
        self,
        make: Callable[[Problem], Sampler],
        take: Take,
        *,
        groups: int = 1,
        each: Add | None = None,
        what: str = "gradients",
        backward: Backward | None = None,
    ) -> Tensor:
        """What `gradient` sums into maps, handed over slab by slab as soon as it is finished; no map is kept.

        Windows go along one axis, and what is unfinished takes at most ``memory`` bytes, the rest lies in scratch files:
        memory does not grow with the number of targets. The passes are those of `gradient`. Where the image is smaller than
        a window and padding repeats it, nothing is finished early: maps are stored as `gradient` stores them, and handed
        over whole. Scores that are not linear, over several windows, go draw by draw, so that of several draws nothing is
        finished before the last.

        Args:
            make: builds the draws from this problem.
            take: given (target, slices of the image, (groups, C, *slab)): every voxel of a target at most once; where
                nothing is handed over the gradient is zero.
            groups: draw ``i`` is summed into group ``i % groups``; the gradient is the sum over the groups.
            each: given (target, slices of the padded image, block, draw): every window's share of every draw, which a
                sum over slabs cannot tell any more.
            backward: another backward pass than the plain gradient's.

        Returns:
            (draws, T) scores; NaN for absent targets.
        """
        from voxplain.engine.banded import over_bands

        sampler = make(self)
        scores = over_bands(self, sampler, take, groups=groups, each=each, what=what, backward=backward)
        keep_clean_scores(self, sampler, scores, backward)
        return scores

    def occlusion(self, regions: Sequence[Region], baseline: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of every score when a region is replaced by the baseline.

        Args:
            regions: R regions of the prepared image, which may overlap.
            baseline: (C, *spatial) what replaces it.

        Returns:
            (T, R) ``F(x) − F(x with the region replaced)`` and (T,) ``F(x)``; NaN for absent targets.
        """
        from voxplain.engine.occlusion import Occluder

        return Occluder(self.engine, self.padded, self.pad(baseline)).run(regions, self.present, "occlusion")

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

    def effects(self, changes: Sequence[VoxelChange], what: str = "changes") -> tuple[Tensor, Tensor]:
        """Loss of every score under each of R changes of the image: (T, R) as in `occlusion`, and (T,) ``F(x)``."""
        from voxplain.engine.changes import Changer

        return Changer(self.engine, self.canvas()).run(changes, self.present, what)

    def effects_cost(self, changes: Sequence[Region]) -> Passes:
        """Passes that `effects` will take for changes within these regions."""
        from voxplain.engine.changes import Changer

        return Changer(self.engine, self.canvas()).cost(changes, self.present)

    def sampled_scores(self, sampler: Sampler, what: str = "scores") -> Tensor:
        """Scores of all targets at every draw of a sampler: (n, T), NaN for absent targets."""
        return self.engine.scores(sampler, self.present, what)

    def cost(self, *, gradients: int = 0, scores: int = 0) -> Passes:
        """Passes of the gradients and of the scores of all targets at so many inputs.

        Per gradient, every window that a target touches goes forwards once (twice for non-linear scores over several
        windows, whose outputs are stitched first), and backwards once per such target.
        """
        linear = self.plan.linear(self.present)
        rest = [t for t in self.present if t not in set(linear)]
        forward = backward = 0
        for group, per_draw in ((linear, 1), *((g, 2) for g in self.engine.groups(rest))):
            windows, wanted = self.plan.windows(group), set(group)
            forward += (gradients * per_draw + scores) * len(windows)
            backward += gradients * sum(len(wanted.intersection(self.plan.touching[w])) for w in windows)
        return Passes(forward, backward)

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
        return padded if self.layout is None else self.layout.unpad_gradient(padded)

    def label_array(self, source: object) -> np.ndarray:
        """A label image on the case's grid from an array or a path."""
        return read_mask(source, self.case) if isinstance(source, (str, Path)) else np.asarray(source)

    def _predicted(self, known: Prediction | None) -> Prediction:
        """The prediction, the one that is known if it fits."""
        if known is None:
            return predict(self.runner, self.layout, self.image, self.padded)
        shape = None if self.layout is None else self.spatial_shape
        require_fitting(known, self.model, shape, self.case.id)
        learn_weights(self.runner, self.layout, self.image, self.padded)
        return known


def _is_of_the_network(key: Hashable) -> bool:
    """Whether what `Problem.once` keeps under this key holds for every image."""
    return key in ("default layer", "axes of layers") or (isinstance(key, tuple) and key[0] == "feature maps")
