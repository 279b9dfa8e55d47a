"""All CAMs against pytorch-grad-cam in 2-D, before its scaling to [0, 1]; and where it fails, what we answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cam_truth import classification, segmentation
from networks import classifier, random_case, smooth_segmenter
from torch import nn
from torchvision_stand_in import peer

from voxplain.attribution import method
from voxplain.engine import Problem
from voxplain.model import Model
from voxplain.target import AllClasses

NAMES = {
    "grad_cam": "GradCAM",
    "grad_cam_pp": "GradCAMPlusPlus",
    "hires_cam": "HiResCAM",
    "layer_cam": "LayerCAM",
    "xgrad_cam": "XGradCAM",
    "eigen_cam": "EigenCAM",
    "eigen_grad_cam": "EigenGradCAM",
    "score_cam": "ScoreCAM",
    "ablation_cam": "AblationCAM",
}
PEERS = {ours: getattr(peer("pytorch_grad_cam"), theirs) for ours, theirs in NAMES.items()}
# what makes our parameters theirs
LIKE_THEM = {"score_cam": {"weights": "softmax", "baseline": 0.0}}


class Asked:
    """A target as pytorch-grad-cam wants it: one sample's output -> a number."""

    def __init__(self, index, mask):
        self.index, self.mask = index, mask

    def __call__(self, output):
        return output[self.index] if self.mask is None else output[self.index][self.mask].mean()


def theirs(name, net, layer, image, target):
    """Their map at the layer's resolution, before rectifier, scaling and interpolation: (*s)."""
    module = net.get_submodule(layer)
    x = image[None].clone()
    with PEERS[name](net, [module]) as cam:
        output = cam.activations_and_grads(x)
        if cam.uses_gradients:
            target(output[0]).backward()
        kept = cam.activations_and_grads
        a = kept.activations[0].numpy()
        g = kept.gradients[0].numpy() if kept.gradients else None
        return torch.from_numpy(np.asarray(cam.get_cam_image(x, module, [target], a, g, False)[0])).double()


def positive(task: str, scale: float = 1.0) -> tuple[Problem, str]:
    """A rectified layer with the image's own resolution, and scores that are all positive."""
    if task == "classification":
        net, layer = classifier(2, 2).double(), "1"
        with torch.no_grad():
            net[6].bias += 3
    else:
        net, layer = smooth_segmenter(2, 2).double(), "1"
        with torch.no_grad():
            net[2].bias += 3
    net[1] = nn.ReLU()
    with torch.no_grad():
        for parameter in net[-1].parameters():
            parameter *= scale
    problem = Problem(
        Model(net.eval(), spatial_dims=2),
        random_case((9, 12), 2),
        AllClasses(background=True),
        dtype=torch.float64,
    )
    assert problem.present == [0, 1, 2] and (problem.clean_scores() > 0).all()
    return problem, layer


def asked(problem: Problem, t: int) -> Asked:
    c = problem.targets[t].class_index
    return Asked(c, None if problem.layout is None else problem.prediction.labels == c)


@pytest.mark.parametrize("task", ["classification", "segmentation"])
@pytest.mark.parametrize("name", NAMES)
def test_same_map_as_the_peer(name, task):
    problem, layer = positive(task, 1e3 if name == "grad_cam_pp" else 1.0)
    found = method(name, layer=layer, relu=False, **LIKE_THEM.get(name, {})).attribute(problem)
    for t in problem.present:
        own, other = (
            found.values(t)[0],
            theirs(name, problem.model.module, layer, problem.image, asked(problem, t)),
        )
        assert float(own.abs().max()) > 1e-4
        if name.startswith("eigen"):
            # their sign is LAPACK's, and they take the mean off the map, which we leave on gradient × activation
            own = own - own.mean()
            other = other * torch.sign((own * other).sum())
        # they add ε to denominators, and cast weights and projections to single precision
        torch.testing.assert_close(own, other, rtol=2e-5, atol=2e-6 * float(own.abs().max()))


def test_the_peers_grad_cam_pp_fades_with_the_size_of_the_score():
    """They add 10⁻⁶ to 2 g² + g³ ΣA: of a mean over a region, whose gradients are small, the weights fade.

    Where g³ ΣA is far below 2 g², the weights are Σ ReLU(g) / 2 and the map goes with the score's unit.
    """
    found = {}
    for scale in (1e-2, 1e-4):
        problem, layer = positive("segmentation", scale)
        own = method("grad_cam_pp", layer=layer, relu=False).attribute(problem).values(0)[0]
        other = theirs("grad_cam_pp", problem.model.module, layer, problem.image, asked(problem, 0))
        found[scale] = own / scale, other / scale
    torch.testing.assert_close(found[1e-2][0], found[1e-4][0], rtol=0.02, atol=0)
    assert float(found[1e-4][1].abs().max()) < 1e-3 * float(found[1e-2][0].abs().max())


def test_the_peers_eigen_cam_has_no_sign_of_its_own():
    """Ours is positive where the activations are large; theirs depends on the decomposition."""
    signs = set()
    for seed in range(8):
        net = smooth_segmenter(2, seed=seed).double()
        problem = Problem(
            Model(net, spatial_dims=2), random_case((9, 12)), AllClasses(background=True), dtype=torch.float64
        )
        own = method("eigen_cam", layer="1", relu=False).attribute(problem).values(0)[0]
        other = theirs("eigen_cam", net, "1", problem.image, asked(problem, 0))
        signs.add(float(torch.sign((own * other).sum())))
        summed = net[1](net[0](problem.image[None]))[0].sum(0).detach()
        assert float(torch.corrcoef(torch.stack([own.flatten(), summed.flatten()]))[0, 1]) > 0
    assert signs == {-1.0, 1.0}


def test_the_peers_ablation_cam_turns_negative_scores_around():
    problem, layer = positive("classification")
    with torch.no_grad():
        problem.model.module[6].bias -= 6
    problem = Problem(problem.model, problem.case, AllClasses(), dtype=torch.float64)
    assert (problem.clean_scores() < 0).all()
    found = method("ablation_cam", layer=layer, relu=False).attribute(problem)
    for t in problem.present:
        other = theirs("ablation_cam", problem.model.module, layer, problem.image, asked(problem, t))
        own = found.values(t)[0]
        torch.testing.assert_close(own, -other, rtol=2e-5, atol=2e-6 * float(own.abs().max()))


def test_the_peers_ablation_of_signed_layers_is_ten_million():
    """Where a layer has negative values they subtract 10⁷ instead of setting it to zero, as the paper says."""
    problem, slow = classification(2, "3")
    t, score = 1, float(slow.value[1].detach())
    head = problem.model.module[6].weight.detach().numpy()[t]
    means = slow.activations[0].reshape(5, -1).mean(1)
    by_hand = torch.from_numpy(np.tensordot(head * means / abs(score), slow.activations[0], axes=1))
    other = theirs("ablation_cam", problem.model.module, "3", problem.image, asked(problem, t))
    assert float(other.abs().max()) > 1e5 * float(by_hand.abs().max())
    own = method("ablation_cam", layer="3", relu=False).attribute(problem).values(t)
    torch.testing.assert_close(own[0], slow.upsampled(by_hand.numpy()), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["score_cam", "ablation_cam"])
def test_the_peer_fails_in_3d(name):
    problem, _ = segmentation("3d-whole", "first.2")
    with pytest.raises((RuntimeError, ValueError, IndexError, TypeError)):
        theirs(name, problem.model.module, "first.2", problem.image, asked(problem, 1))


def test_the_peers_ablation_leaves_the_model_broken_after_a_failure():
    problem, _ = segmentation("3d-whole", "first.2")
    net, x = problem.model.module, problem.image[None]
    before = net(x).detach()
    own = method("ablation_cam", layer="first.2").attribute(problem)
    assert {a.status for a in own.answers} <= {"ok", "zero"}
    assert torch.equal(net(x), before)
    with pytest.raises((RuntimeError, ValueError, IndexError, TypeError)):
        theirs("ablation_cam", net, "first.2", problem.image, asked(problem, 1))
    assert type(net.first[2]).__name__ == "AblationLayer"
    with pytest.raises((RuntimeError, ValueError, IndexError, TypeError, AttributeError)):
        net(torch.rand_like(x[..., :2]))


def test_the_peers_eigen_cam_decomposes_places_times_places(monkeypatch):
    """n × n for n places of the layer, 275 GB at 64³; ours is features × features whatever n."""
    sizes, svd = [], np.linalg.svd

    def spy(matrix, **kwargs):
        out = svd(matrix, **kwargs)
        sizes.append(max(part.size for part in out))
        return out

    problem, _ = segmentation("3d-whole", "first.2")
    monkeypatch.setattr(np.linalg, "svd", spy)
    theirs("eigen_cam", problem.model.module, "first.2", problem.image, asked(problem, 1))
    assert sizes == [(6 * 8 * 4) ** 2]
    shapes, eigh = [], torch.linalg.eigh
    monkeypatch.setattr(torch.linalg, "eigh", lambda m: (shapes.append(tuple(m.shape)), eigh(m))[1])
    method("eigen_cam", layer="first.2").attribute(problem)
    assert shapes == [(4, 4)]
