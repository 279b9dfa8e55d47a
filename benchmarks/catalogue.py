"""Methods that another library has, too: voxplain, the peer, and the bare passes, on one network and volume.

Every row explains the same scores (mean logit of each predicted class over its region) of one MONAI UNet, first for
one class, then for all of them. The peer is asked class by class, which is how it can be asked, at a batch that suits it
(its own default is slower). Bare is the network alone: as many forward passes and backward passes as voxplain counted.
Runs are interleaved; ratios are medians of the pairwise ones.

    python benchmarks/catalogue.py --edge 48 --repeats 3
    python benchmarks/catalogue.py --only gradient,deep_lift
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from common import arguments, case
from torch import Tensor, nn

from voxplain.attribution import method
from voxplain.attribution.peak import PeakMemory, resident_bytes
from voxplain.engine import Problem
from voxplain.model import Model
from voxplain.target import AllClasses

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from torchvision_stand_in import torchvision_stand_in

BATCH, NODES, DRAWS, CUBE = 8, 16, 16, 16


class Scores(nn.Module):
    """(N, C, *S) -> (N, T): the mean logit of every class over its predicted region."""

    def __init__(self, net: nn.Module, problem: Problem) -> None:
        super().__init__()
        self.net = net
        labels = problem.prediction.labels
        self.masks = [(labels == t.class_index) for t in problem.targets]
        self.classes = [t.class_index for t in problem.targets]

    def forward(self, x: Tensor) -> Tensor:
        z = self.net(x)
        return torch.stack([z[:, c][:, m].mean(1) for c, m in zip(self.classes, self.masks, strict=True)], 1)


@dataclass
class Setting:
    """What the peers are given."""

    net: nn.Module
    scores: Scores
    x: Tensor
    layer: str
    problem: Problem

    @property
    def module(self) -> nn.Module:
        return self.net.get_submodule(self.layer)


@dataclass(frozen=True)
class Row:
    """A method, its parameters, and a peer that does the same for one class."""

    method: str
    parameters: dict[str, object]
    peer: str
    ask: Callable[[Setting, int], object]


def captum(name: str, **options: object) -> Callable[[Setting, int], object]:
    """A method of Captum, asked for one class."""
    import captum.attr

    return lambda s, t: getattr(captum.attr, name)(s.scores).attribute(s.x, target=t, **options)


def captum_layer(name: str, **options: object) -> Callable[[Setting, int], object]:
    """A layer method of Captum."""
    import captum.attr

    return lambda s, t: getattr(captum.attr, name)(s.scores, s.module).attribute(s.x, target=t, **options)


def noise(kind: str) -> Callable[[Setting, int], object]:
    """Captum's noise tunnel around the gradient."""
    from captum.attr import NoiseTunnel, Saliency

    return lambda s, t: NoiseTunnel(Saliency(s.scores)).attribute(
        s.x, nt_type=kind, nt_samples=DRAWS, nt_samples_batch_size=BATCH, stdevs=0.1, target=t, abs=False
    )


def blurred(s: Setting) -> Tensor:
    """The reference that both sides use."""
    from voxplain.attribution import Blur

    return Blur()(s.problem)[None]


def grid(s: Setting) -> Tensor:
    """Cubes as Captum wants them: a label map."""
    edge = s.x.shape[-1]
    line = torch.arange(edge) // CUBE
    count = int(line.max()) + 1
    return (line[:, None, None] * count * count + line[None, :, None] * count + line[None, None, :])[
        None, None
    ]


def masked(name: str, **options: object) -> Callable[[Setting, int], object]:
    """A method of Captum on cubes."""
    import captum.attr

    return lambda s, t: getattr(captum.attr, name)(s.scores).attribute(
        s.x, target=t, feature_mask=grid(s), **options
    )


def zennit(composite: str) -> Callable[[Setting, int], object]:
    """LRP as zennit's composite has it."""
    with torchvision_stand_in():
        import zennit.composites
        import zennit.torchvision
        from zennit.canonizers import SequentialMergeBatchNorm

    def ask(s: Setting, t: int) -> Tensor:
        x = s.x.clone().requires_grad_()
        with getattr(zennit.composites, composite)(canonizers=[SequentialMergeBatchNorm()]).context(
            s.net
        ) as net:
            z = net(x)
            root = torch.zeros_like(z)
            mask = s.scores.masks[t]
            root[:, s.scores.classes[t]] = mask.to(z.dtype) / mask.sum()
            return torch.autograd.grad(z, x, root * z.detach())[0]

    return ask


def pgc(name: str) -> Callable[[Setting, int], object]:
    """A CAM of pytorch-grad-cam."""
    with torchvision_stand_in():
        import pytorch_grad_cam

    def ask(s: Setting, t: int) -> object:
        with getattr(pytorch_grad_cam, name)(model=s.net, target_layers=[s.module]) as cam:
            mask, c = s.scores.masks[t], s.scores.classes[t]
            return cam(input_tensor=s.x.clone().requires_grad_(), targets=[lambda z: z[c][mask].mean()])

    return ask


def monai_guided(s: Setting, t: int) -> object:
    """MONAI's guided backpropagation."""
    from monai.visualize import GuidedBackpropGrad

    class Picked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = s.scores

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x)

    return GuidedBackpropGrad(Picked())(s.x, index=t)


def rows() -> list[Row]:
    """The catalogue's part that peers have."""
    return [
        Row("gradient", {}, "Captum Saliency", captum("Saliency", abs=False)),
        Row("input_x_gradient", {}, "Captum InputXGradient", captum("InputXGradient")),
        Row(
            "integrated_gradients",
            {"nodes": NODES, "baseline": "blur"},
            "Captum IntegratedGradients",
            lambda s, t: captum(
                "IntegratedGradients", n_steps=NODES, internal_batch_size=BATCH, baselines=blurred(s)
            )(s, t),
        ),
        Row(
            "expected_gradients",
            {"draws": DRAWS, "baselines": ("blur",)},
            "Captum GradientShap",
            lambda s, t: captum("GradientShap", n_samples=DRAWS, baselines=blurred(s))(s, t),
        ),
        Row("smoothgrad", {"draws": DRAWS}, "Captum NoiseTunnel", noise("smoothgrad")),
        Row("vargrad", {"draws": DRAWS}, "Captum NoiseTunnel", noise("vargrad")),
        Row("guided_backprop", {}, "Captum GuidedBackprop", captum("GuidedBackprop")),
        Row("guided_backprop", {}, "MONAI GuidedBackpropGrad", monai_guided),
        Row("deconvolution", {}, "Captum Deconvolution", captum("Deconvolution")),
        Row(
            "deep_lift",
            {"baseline": "blur"},
            "Captum DeepLift",
            lambda s, t: captum("DeepLift", baselines=blurred(s))(s, t),
        ),
        Row("lrp", {"rule": "epsilon_plus_flat"}, "zennit EpsilonPlusFlat", zennit("EpsilonPlusFlat")),
        Row("excitation_backprop", {}, "zennit ExcitationBackprop", zennit("ExcitationBackprop")),
        Row("grad_cam", {}, "Captum LayerGradCam", captum_layer("LayerGradCam")),
        Row("grad_cam", {}, "pytorch-grad-cam", pgc("GradCAM")),
        Row("hires_cam", {}, "pytorch-grad-cam", pgc("HiResCAM")),
        Row("layer_cam", {}, "pytorch-grad-cam", pgc("LayerCAM")),
        Row("xgrad_cam", {}, "pytorch-grad-cam", pgc("XGradCAM")),
        Row("eigen_cam", {}, "pytorch-grad-cam", pgc("EigenCAM")),
        Row("layer_activation", {}, "Captum LayerActivation", lambda s, t: _activation(s)),
        Row("layer_gradient_x_activation", {}, "Captum", captum_layer("LayerGradientXActivation")),
        Row(
            "layer_conductance",
            {"nodes": NODES, "baseline": "blur"},
            "Captum LayerConductance",
            lambda s, t: captum_layer(
                "LayerConductance", n_steps=NODES, internal_batch_size=BATCH, baselines=blurred(s)
            )(s, t),
        ),
        Row(
            "internal_influence",
            {"nodes": NODES, "baseline": "blur"},
            "Captum InternalInfluence",
            lambda s, t: captum_layer(
                "InternalInfluence", n_steps=NODES, internal_batch_size=BATCH, baselines=blurred(s)
            )(s, t),
        ),
        Row(
            "occlusion",
            {"size": CUBE, "baseline": "0"},
            "Captum Occlusion",
            captum(
                "Occlusion",
                sliding_window_shapes=(1, CUBE, CUBE, CUBE),
                strides=(1, CUBE, CUBE, CUBE),
                perturbations_per_eval=BATCH,
            ),
        ),
        Row(
            "feature_ablation",
            {"size": CUBE, "baseline": "0"},
            "Captum FeatureAblation",
            masked("FeatureAblation", perturbations_per_eval=BATCH),
        ),
        Row(
            "shapley_sampling",
            {"size": CUBE, "permutations": 2, "baseline": "0"},
            "Captum ShapleyValueSampling",
            masked("ShapleyValueSampling", n_samples=2, perturbations_per_eval=BATCH),
        ),
        Row(
            "kernel_shap",
            {"size": CUBE, "samples": 64, "baseline": "0"},
            "Captum KernelShap",
            masked("KernelShap", n_samples=64, perturbations_per_eval=BATCH),
        ),
        Row(
            "lime",
            {"size": CUBE, "samples": 64, "baseline": "0"},
            "Captum Lime",
            masked("Lime", n_samples=64, perturbations_per_eval=BATCH),
        ),
    ]


def _activation(s: Setting) -> object:
    from captum.attr import LayerActivation

    return LayerActivation(s.scores, s.module).attribute(s.x)


def setting(edge: int, layer: str | None) -> Setting:
    """A MONAI UNet with BatchNorm and ReLU, which all peers can take, calibrated so that all classes occur."""
    from monai.networks.nets import UNet

    torch.manual_seed(0)
    net = UNet(3, 1, 6, (16, 32, 64, 128), (2, 2, 2), num_res_units=0, norm="BATCH", act="RELU").eval()
    net.requires_grad_(False)
    image = case("unet", edge)
    x = torch.from_numpy(image.image)[None]
    with torch.no_grad():
        head = [m for m in net.modules() if isinstance(m, nn.ConvTranspose3d)][-1]
        z = net(x)
        head.bias -= z.mean((0, 2, 3, 4))
        head.weight /= z.std((0, 2, 3, 4))[None, :, None, None, None]
    problem = Problem(Model(net), image, AllClasses(background=True))
    chosen = layer or problem.layer().name
    return Setting(net, Scores(net, problem), x, chosen, problem)


def one_of(s: Setting) -> Problem:
    """The first class alone."""
    return Problem(s.problem.model, s.problem.case, s.problem.targets[0].class_name)


def timed(run: Callable[[], object]) -> tuple[float, float, object]:
    """Seconds, MB above the start at the peak, and what it returned."""
    gc.collect()
    before = resident_bytes()
    with PeakMemory(torch.device("cpu")) as peak:
        start = time.perf_counter()
        found = run()
        seconds = time.perf_counter() - start
    return seconds, (peak.bytes - before) / 2**20, found


def pace(s: Setting, repeats: int = 3) -> tuple[float, float]:
    """Seconds of a bare forward and a bare backward pass of one sample, in the batch that suits the machine."""
    runner = s.problem.runner
    batch = runner.batch
    x = s.x.expand(batch, *s.x.shape[1:])
    forward, both = [], []
    with runner.session():
        for _ in range(repeats):
            with torch.no_grad():
                start = time.perf_counter()
                z = s.net(x)
                forward.append(time.perf_counter() - start)
            leaf = x.clone().requires_grad_()
            start = time.perf_counter()
            z = s.net(leaf)
            torch.autograd.grad(z, leaf, torch.ones_like(z))
            both.append(time.perf_counter() - start)
    ahead, whole = min(forward) / batch, min(both) / batch
    return ahead, whole - ahead


def compare(row: Row, s: Setting, repeats: int) -> list[str]:
    """One line of the table."""
    every = range(len(s.problem.targets))
    chosen = method(row.method, **row.parameters)
    alone = one_of(s)
    spent: dict[str, list[float]] = {"one": [], "peer one": [], "all": [], "peer all": []}
    ours_mb = peer_mb = 0.0
    passes = None
    for _ in range(repeats):
        spent["one"].append(timed(lambda: chosen.attribute(alone))[0])
        spent["peer one"].append(timed(lambda: row.ask(s, 0))[0])
        seconds, mb, found = timed(lambda: chosen.attribute(s.problem))
        spent["all"].append(seconds)
        ours_mb, passes = max(ours_mb, mb), found.passes
        seconds, mb, _ = timed(lambda: [row.ask(s, t) for t in every])
        spent["peer all"].append(seconds)
        peer_mb = max(peer_mb, mb)
    forward, backward = pace(s)
    bare = passes.forward * forward + passes.backward * backward

    def ratio(a: str, b: str) -> float:
        return statistics.median(x / y for x, y in zip(spent[a], spent[b], strict=True))

    return [
        row.method,
        row.peer,
        f"{statistics.median(spent['all']):.2f}",
        f"{passes.forward}+{passes.backward}",
        f"{statistics.median(spent['all']) / bare:.2f}" if bare else "–",
        f"{statistics.median(spent['peer all']):.2f}",
        f"{ratio('one', 'peer one'):.2f}",
        f"{ratio('all', 'peer all'):.2f}",
        f"{ours_mb:.0f}",
        f"{peer_mb:.0f}",
    ]


def main() -> None:
    """Print the table."""
    chosen = arguments(__doc__, edge=48, repeats=3, only="", layer="")
    s = setting(chosen.edge, chosen.layer or None)
    wanted = set(filter(None, chosen.only.split(",")))
    print(
        f"UNet (BatchNorm, ReLU), one volume of {chosen.edge}³, {len(s.problem.targets)} classes, layer {s.layer}, "
        f"{torch.get_num_threads()} threads, {chosen.repeats} repeats"
    )
    head = ["method", "peer", "s", "passes", "/bare", "peer s", "one/peer", "all/peer", "MB", "peer MB"]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows():
        if wanted and row.method not in wanted:
            continue
        try:
            cells = compare(row, s, chosen.repeats)
        except Exception as error:  # noqa: BLE001  a peer that fails is part of the answer
            cells = [row.method, row.peer, f"{type(error).__name__}: {str(error)[:60]}"]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
