"""Atrophy of real anatomy: volumes are as prescribed, and the simulator finds in ml what the classifier looks at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from anatomy.cohort import CHANGES, Disease, subject
from anatomy.make import make
from anatomy.networks import fitted
from anatomy.templates import REGIONS, template
from anatomy.truth import changes, summary

from voxplain.case import read_case
from voxplain.errors import InputError
from voxplain.simulator.running import explain_simulators, prepare_task, train_simulators
from voxplain.simulator.settings import load_simulator

VENTRICLES = REGIONS.index("ventricles")
NETWORKS = f"{Path(__file__).parents[2] / 'examples' / 'anatomy' / 'networks.py'}:ventricles"


@pytest.fixture(scope="module")
def disease() -> Disease:
    pytest.importorskip("nilearn")
    return Disease.of(template("mni", 4.0))


def test_every_subject_changes_about_as_prescribed(disease):
    for number in range(3):
        told = subject(disease, number, ill=True, spacing=8.0, seed=2).volumes
        for name, change in CHANGES.items():
            without, with_it = told[name]
            # bent by 2 mm, a subject's region is not the template's, and voxels of 4 mm hold a few ml
            assert with_it / without - 1 == pytest.approx(change, abs=0.12)


def test_both_states_of_a_subject_differ_by_the_disease_alone(disease):
    healthy, ill = (subject(disease, 5, ill=state, spacing=8.0, seed=2) for state in (False, True))
    assert healthy.volumes == ill.volumes
    labels = healthy.case.label
    assert (labels == VENTRICLES).sum() > 10
    darker = (ill.case.image - healthy.case.image)[0][labels == VENTRICLES]
    assert np.abs(ill.case.image - healthy.case.image)[0][labels == 0].mean() < 0.01
    assert darker.mean() < 0


def test_the_classifier_sees_nothing_but_its_window(disease):
    cases = {
        ill: [subject(disease, n, ill=ill, spacing=8.0, seed=2).case for n in range(3)]
        for ill in (False, True)
    }
    images = [np.stack([c.image for c in several]) for several in cases.values()]
    rule = fitted(*images, np.stack([c.label for several in cases.values() for c in several]), VENTRICLES)
    x = torch.from_numpy(images[0]).requires_grad_()
    (gradient,) = torch.autograd.grad(rule(x)[:, 1].sum(), x)
    assert not gradient[:, 0, rule.window == 0].any()
    assert (gradient[:, 0, rule.window > 0] <= 0).all()  # what is darker is more diseased
    with torch.no_grad():
        means = [
            float((rule(torch.from_numpy(group)) @ torch.tensor([-1.0, 1.0])).mean()) for group in images
        ]
    assert means == pytest.approx([-4, 4], abs=1e-3)


def test_an_unknown_source_is_told():
    with pytest.raises(InputError, match="source: found 'mnj'"):
        template("mnj", 8.0)


@pytest.mark.slow
@pytest.mark.long
def test_the_simulator_finds_the_prescribed_millilitres_of_what_the_classifier_uses(tmp_path):
    pytest.importorskip("nilearn")
    make(tmp_path, "mni", subjects=60, spacing=8.0, fine=4.0, seed=5)
    shape = read_case(tmp_path / "images" / "subject-0000.nii.gz").spatial_shape
    told = {
        "data": str(tmp_path / "subjects.csv"),
        "classifier": {"source": NETWORKS, "weights": str(tmp_path / "rule.safetensors"), "spatial_dims": 3,
                       "classes": ["healthy", "diseased"], "arguments": {"shape": list(shape)}},
        "network": {"parameters": {"widths": [8, 16]}},
        "training": {"epochs": 20, "batch": 6, "device": "cpu", "progress": False},
        "explain": {"atlas": {"names": dict(enumerate(REGIONS))}, "device": "cpu", "cases": 2},
        "out": str(tmp_path / "results"),
    }  # fmt: skip
    task = prepare_task(load_simulator(settings=told))
    train_simulators(task)
    explain_simulators(task, progress=False)
    for decision in ("healthy", "diseased"):
        found, true = changes(tmp_path, decision, "ventricles")
        assert len(found) >= 4
        assert (found * true > 0).all()
        assert 0.5 < found.mean() / true.mean() < 1.5
        # the disease shrinks these, too, but the classifier does not look at them
        unused, real = changes(tmp_path, decision, "hippocampi")
        assert abs(unused.mean()) < 0.3 * abs(real.mean())
    assert summary(tmp_path).row_count == 4
