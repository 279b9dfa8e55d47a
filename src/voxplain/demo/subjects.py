"""What the demo explains: a network trained a moment ago on a phantom, and a real brain template."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voxplain.demo.networks import (
    TISSUE_CLASSES,
    TISSUE_SPACING,
    patches,
    tissue_network,
    tissue_weights,
    train,
    vessel_network,
)
from voxplain.errors import ModelError

if TYPE_CHECKING:
    from voxplain.attribution import Method
    from voxplain.case import Case
    from voxplain.model import Model

Progress = Callable[[str, int, int], None]

TRAINING_PEOPLE = 8
TRAINING_STEPS = 120


@dataclass(frozen=True)
class Subject:
    """A case with its truth, the network to ask, and what to ask.

    Attributes:
        title: of its part of the page.
        case: with a label, so that the network can be measured.
        model: who is asked.
        targets: in the grammar of targets.
        methods: how to explain.
        notes: what a reader must know.
    """

    title: str
    case: Case
    model: Model
    targets: tuple[str, ...]
    methods: tuple[Method, ...]
    notes: tuple[str, ...]


def vessel_subject(seed: int, progress: Progress | None = None) -> Subject:
    """Train a vessel network on phantoms; the subject is a phantom that it has not seen."""
    import torch

    from voxplain.attribution import GradCam, IntegratedGradients, SmoothGrad
    from voxplain.model import Model, Preparation
    from voxplain.phantom import VESSEL_CLASSES, vessels

    # Training seeds follow one another; the fresh phantom's is far from all of them.
    people = [vessels((48, 48, 48), seed=1000 * seed + n) for n in range(TRAINING_PEOPLE)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = vessel_network()

    def report(step: int, steps: int, loss: float) -> None:
        if progress is not None:
            progress("training a vessel network", step, steps)

    train(network, patches(people), steps=TRAINING_STEPS, seed=seed, progress=report)
    model = Model(
        network,
        spatial_dims=3,
        task="segmentation",
        output="binary",
        classes=VESSEL_CLASSES,
        prepare=Preparation(scale="zscore", divisible=16),
        name="vessel U-Net",
    )
    return Subject(
        title="vessel phantom",
        case=vessels((64, 64, 64), seed=1000 * seed + 999),
        model=model,
        targets=("vessel", "fn:vessel"),
        methods=(IntegratedGradients(nodes=12), SmoothGrad(draws=6), GradCam(layer="upcat_2")),
        notes=(f"The vessel network was trained for this page on {TRAINING_PEOPLE} other phantoms.",),
    )


def tissue_model(weights: Path | None = None) -> Model:
    """The tissue network with the weights that `scripts/train_demo_brain.py` makes.

    Raises:
        ModelError: the weights are missing.
    """
    from safetensors.torch import load_file

    from voxplain.model import Model, Preparation

    path = weights or tissue_weights()
    if not path.is_file():
        raise ModelError(
            f"{path.name}: the demo's weights are missing; scripts/train_demo_brain.py makes them"
        )
    network = tissue_network()
    network.load_state_dict(load_file(path))
    return Model(
        network.eval(),
        spatial_dims=3,
        task="segmentation",
        output="softmax",
        classes=TISSUE_CLASSES,
        prepare=Preparation(
            orientation="RAS",
            spacing=TISSUE_SPACING,
            scale="percentile",
            percentiles=(0.0, 99.5),
            crop="foreground",
            margin=4,
            divisible=16,
        ),
        name="tissue U-Net",
    )


def brain_subject() -> Subject:
    """The MNI152 T1 template in nilearn's wheel, or a brain phantom where nilearn is not installed."""
    from voxplain.attribution import GradCam, IntegratedGradients

    try:
        case, note = (
            mni152(),
            "The MNI152 T1 template (ICBM 2009a, 2 mm, without skull) is an average of 152 people.",
        )
    except ModuleNotFoundError:
        from voxplain.phantom import brain

        case = with_tissues(brain((80, 96, 80), seed=999, spacing=TISSUE_SPACING, scale=1.0, skull=False))
        note = (
            "nilearn is not installed, so a phantom stands in for the MNI152 template (pip install nilearn)."
        )
    return Subject(
        title="MNI152 template" if case.id == "mni152" else "brain phantom",
        case=case,
        model=tissue_model(),
        targets=("grey matter", "fluid"),
        # Not from black: that path leaves what the network was trained on, and the gap shows it.
        methods=(IntegratedGradients(nodes=6, baseline="blur"), GradCam(layer="upcat_2")),
        notes=(note, "The tissue network was trained on brain phantoms alone; it has seen no real brain."),
    )


def mni152(resolution: int = 2) -> Case:
    """The MNI152 T1 template as a case; the label is the likeliest tissue of nilearn's maps.

    Nothing is downloaded: template and maps come with nilearn.

    Raises:
        ModuleNotFoundError: nilearn is not installed.
    """
    import numpy as np
    from nilearn import datasets

    from voxplain.case import Case, Geometry

    load = (
        datasets.load_mni152_template,
        datasets.load_mni152_gm_template,
        datasets.load_mni152_wm_template,
        datasets.load_mni152_brain_mask,
    )
    images = [f(resolution=resolution) for f in load]
    template, grey, white, mask = (np.asarray(i.dataobj, dtype=np.float32) for i in images)
    template = template.round(4).clip(0, 1)  # resampling leaves ±1e-16 where there is nothing
    likeliest = 1 + np.argmax([1 - grey - white, grey, white], axis=0)
    affine = np.array(images[0].affine, dtype=np.float64)
    return Case(
        id="mni152",
        image=template[None],
        geometry=Geometry(affine, template.shape),
        label=np.where(mask > 0.5, likeliest, 0).astype(np.int32),
        meta={"classes": list(TISSUE_CLASSES), "source": "nilearn"},
    )


def with_tissues(case: Case) -> Case:
    """A brain phantom whose label has the demo's four tissues instead of all classes."""
    from dataclasses import replace

    import numpy as np

    from voxplain.demo.networks import TISSUE_OF
    from voxplain.phantom import BRAIN_CLASSES

    table = np.array([TISSUE_OF.get(name, 0) for name in BRAIN_CLASSES], dtype=np.int32)
    assert case.label is not None
    return replace(case, label=table[case.label], meta={**case.meta, "classes": list(TISSUE_CLASSES)})
