"""Networks that look at their own weights, or at who shares the batch, still get the answers that are theirs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import random_case
from torch import nn
from torch.nn import functional as F

import voxplain as vx
from voxplain.attribution import method
from voxplain.case import Case
from voxplain.engine import Problem
from voxplain.errors import ModelError
from voxplain.model import Model


class Standardised(nn.Conv3d):
    """Weight standardisation (Qiao et al. 2019): flattens its weights, which only their own layout allows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        w = self.weight.view(self.out_channels, -1)
        w = (w - w.mean(1, keepdim=True)) / w.std(1, keepdim=True)
        return F.conv3d(x, w.view_as(self.weight), self.bias, padding=1)


class FromOutside(nn.Module):
    """Flattens the weights of a plain convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv3d(1, 4, 3, padding=1), nn.Conv3d(4, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        w = self.b.weight.view(3, -1)
        return F.conv3d(self.a(x).tanh(), (w / w.norm(dim=1, keepdim=True)).view_as(self.b.weight), padding=1)


class Spectral(nn.Module):
    """Multiplies the spectrum by complex weights that are stored as pairs (Rao et al. 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.c, self.w = nn.Conv2d(1, 3, 3, padding=1), nn.Parameter(torch.randn(3, 12, 6, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.fft.irfft2(torch.fft.rfft2(self.c(x)) * torch.view_as_complex(self.w), s=x.shape[-2:])


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: nn.Sequential(Standardised(1, 4, 3), nn.Tanh(), Standardised(4, 3, 3)), (8, 7, 6)),
        (FromOutside, (8, 7, 6)),
        (Spectral, (12, 10)),
    ],
    ids=["standardised", "from outside", "spectral"],
)
def test_networks_that_look_at_their_weights_run_and_get_autograds_gradient(make, shape):
    torch.manual_seed(0)
    net, case = make(), random_case(shape)
    strides = [p.stride() for p in net.parameters()]
    p = Problem(Model(net, spatial_dims=len(shape)), case, "all+background")
    found = method("gradient").attribute(p)
    x = p.image[None].clone().requires_grad_()
    z = net(x)
    classes = z[0].argmax(0)
    for t in p.present:
        c = p.targets[t].class_index
        (truth,) = torch.autograd.grad(z[0, c][classes == c].mean(), x, retain_graph=True)
        torch.testing.assert_close(found.values(t), truth[0], rtol=1e-4, atol=1e-6)
    assert [p.stride() for p in net.parameters()] == strides


class Branches(nn.Module):
    """Takes another way where the whole batch is dark."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.h, self.threshold = nn.Linear(6, 3), 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.a(x))
        y = F.relu(self.b(y)) if float(y.mean()) > self.threshold else y
        return self.h(y.mean((2, 3)))


@pytest.mark.parametrize("name", ["occlusion", "kernel_shap", "feature_ablation"])
def test_a_network_that_looks_at_the_whole_batch_is_asked_one_by_one(name):
    net = Branches().eval()
    image = np.abs(np.random.default_rng(0).normal(size=(1, 16, 16))).astype(np.float32) + 0.5
    with torch.no_grad():
        net.threshold = float(F.relu(net.a(torch.from_numpy(image)[None])).mean()) - 1e-3
        truth = float(net(torch.from_numpy(image)[None])[0, 0])
    p = Problem(Model(net, spatial_dims=2), Case("bright", image, None), vx.ClassScore(class_name=0))
    method("gradient").attribute(p)
    with pytest.warns(UserWarning, match="answers differently when samples share a batch"):
        found = method(name, size=8).attribute(p)
    assert found.answers[0].score == pytest.approx(truth, rel=1e-4)
    hidden = p.image.clone()
    hidden[:, :8, :8] = found.problem.image.min()
    if name == "occlusion":
        lost = truth - float(p.scores([hidden])[0, 0])
        assert found.region_values is not None
        assert float(found.region_values[0, 0]) == pytest.approx(lost, abs=1e-5)


class Logarithm(nn.Module):
    """Cannot take the zero that a baseline may hold."""

    def __init__(self) -> None:
        super().__init__()
        self.c = nn.Conv2d(1, 3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.c(x.log()).mean((2, 3))


def test_a_baseline_that_the_network_cannot_take_is_named_as_the_cause():
    case = Case("positive", np.random.default_rng(0).uniform(1, 2, (1, 8, 8)).astype(np.float32), None)
    p = Problem(Model(Logarithm(), spatial_dims=2), case, vx.ClassScore(class_name=0))
    with pytest.raises(ModelError, match=r"NaN or infinite.*The image itself gave finite ones.*baseline"):
        method("occlusion", size=4, baseline=0.0).attribute(p)


def test_windows_much_larger_than_the_image_are_remarked_on():
    from networks import smooth_segmenter

    model = Model(smooth_segmenter(2), spatial_dims=2, windows=vx.Windows(roi=40))
    with pytest.warns(UserWarning, match=r"windows of 40×40 voxels are larger than the image of 10×9"):
        Problem(model, random_case((10, 9)), "all+background")


class Unmeasured(FromOutside):
    """Reads a number of the image, which no fake tensor has, so that only the real pass shows what it cannot take."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x if float(x.detach().abs().max()) < 1e9 else x / 2)


def test_what_fake_tensors_cannot_show_is_found_by_the_prediction():
    torch.manual_seed(0)
    p = Problem(Model(Unmeasured(), spatial_dims=3), random_case((8, 7, 6)), "all+background")
    assert p.runner.footprint is None
    assert method("gradient").attribute(p).answers[0].status == "ok"


class Watching(nn.Conv3d):
    """A convolution of its own, which sees how its weights lie."""

    seen: bool = True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen = self.seen and self.weight.is_contiguous()
        return super().forward(x)


def test_only_torchs_own_convolutions_are_laid_out_anew():
    net = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), Watching(4, 3, 3, padding=1))
    Problem(Model(net, spatial_dims=3), random_case((8, 7, 6)), "all+background")
    assert net[1].seen
