"""Maps of any method and any classifier as `Maps`, so that they go through the same thresholds and the same scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from voxplain.attribution import Method
from voxplain.case import Case
from voxplain.engine import Problem
from voxplain.inherent.data import Reader, Sample
from voxplain.inherent.maps import Maps
from voxplain.inherent.shown import shown
from voxplain.model import Model, Preparation, load_model
from voxplain.target import AllClasses


def maps_by(
    method: Method,
    network: nn.Module,
    samples: Sequence[Sample],
    classes: Sequence[str],
    *,
    preparation: Preparation | None = None,
    healthy: int | None = 0,
    device: str = "cpu",
    progress: bool = False,
) -> Maps:
    """Explain every class of every image by a method, on the image's own grid.

    Channels of a map are added up. Where a method answers zero for a class, its map is zero.

    Args:
        method: such as ``GradCam()``.
        network: (N, C, *S) -> (N, K) logits.
        samples: images, not slices of volumes; with masks where they are to be scored.
        classes: K names.
        preparation: as in training.
        healthy: the class that means "nothing to see"; None where there is none.
        device: where it runs.
        progress: show a bar on a terminal.

    Raises:
        InputError: images that cannot be read.
        TargetError: a map that failed.

    >>> from voxplain.attribution import Gradient
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    >>> one = Sample("a", np.ones((1, 4, 4), np.float32), 1, "p")
    >>> maps_by(Gradient(), net, [one], ["no", "yes"]).evidence[0].shape
    (2, 4, 4)
    """
    model = load_model(
        network, task="classification", classes=list(classes), prepare=preparation or Preparation(), device=device,
        spatial_dims=Reader().case(samples[0]).spatial_dims,
    )  # fmt: skip
    reader, found, asked = Reader(), [], None
    with shown(method.name, progress) as show:
        for n, sample in enumerate(samples, start=1):
            case, mask = reader.case(sample), reader.mask(sample)
            asked = _asked(model, case, asked)
            answer = method.attribute(asked)
            evidence = np.stack([answer.map(k).sum(axis=0) for k in range(len(classes))])
            logits = np.array([[a.score for a in answer.answers]])
            spacing = None if case.geometry is None else case.geometry.spacing
            label = np.array([sample.label])
            found.append(
                Maps(
                    (sample.id,),
                    (sample.group,),
                    [evidence],
                    logits,
                    label,
                    [mask],
                    [case.image],
                    [spacing],
                    healthy,
                    seen=[asked.prepared.covers()],
                )
            )
            show(method.name, n, len(samples))
    return joined(found)


def joined(parts: Sequence[Maps]) -> Maps:
    """Several maps as one.

    Raises:
        InputError: none, or parts that do not fit each other.
    """
    return Maps(
        tuple(i for p in parts for i in p.ids),
        tuple(g for p in parts for g in p.groups),
        [e for p in parts for e in p.evidence],
        np.concatenate([p.logits for p in parts]),
        np.concatenate([p.labels for p in parts]),
        [m for p in parts for m in p.masks],
        [i for p in parts for i in p.images],
        [s for p in parts for s in p.spacings],
        parts[0].healthy,
        seen=[s for p in parts for s in p.seen],
    )


def _asked(model: Model, case: Case, before: Problem | None) -> Problem:
    """The same question about the next image.

    Scores of all classes do not depend on the prediction, and what is found out about the network (its footprint, its
    layers) takes longer than a small image; so images on one grid share one problem.
    """
    if before is not None:
        ready = model.prepare(case)
        same = ready.case.spatial_shape == before.prepared.case.spatial_shape
        if (
            same
            and ready.shape == before.prepared.shape
            and np.array_equal(ready.to_case, before.prepared.to_case)
        ):
            return before.at(ready.image)
    return Problem(model, case, AllClasses(background=True))
