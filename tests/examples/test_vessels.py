"""The vessel example: its networks, what make.py makes, and the published protocol beside it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from vessels import networks, published
from vessels.make import make
from vessels.phantoms import held_out_phantoms, training_phantoms
from vessels.protocol import RANDOM, ZEROS, judge, methods
from vessels.sizes import SIZES
from vessels.training import NETWORKS, Heads
from vessels.wrappers import MaskedSums, ThresholdCounts

from voxplain.case import read_case, read_mask
from voxplain.model import load_model

EXAMPLE = Path(published.__file__).parent
TINY = replace(SIZES["small"], edge=16, people=2, person=20, patch=16, batch=2, steps=3, cases=4, trees=2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    make(folder, TINY)
    return folder


class Says(nn.Module):
    """A network that answers what it is given times a factor, in a list as the vessel networks do."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [x * self.factor, x]


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("widths", [networks.SMALL, (3, 5, 6, 7, 8)])
def test_what_the_networks_answer(dims: int, widths: tuple[int, ...]) -> None:
    shape = (1, 1, 32, *(16,) * (dims - 1))
    x = torch.rand(shape)
    with torch.no_grad():
        plain, supervised, gated = (
            make_network(widths=widths, dims=dims).eval()(x)
            for make_network in (networks.unet, networks.unet_mss, networks.attention_unet)
        )
    half, quarter = (tuple(n // f for n in shape[2:]) for f in (2, 4))
    assert [tuple(z.shape) for z in plain] == [shape, (1, widths[1], *half), (1, widths[2], *quarter)]
    assert [tuple(z.shape) for z in supervised] == [shape] * 3
    assert tuple(gated.shape) == shape


def test_the_networks_are_loaded_by_the_name_that_a_study_gives(made: Path) -> None:
    for name, head in (("unet", 0), ("unet_mss", 0), ("attention_unet", None)):
        model = load_model(
            f"{EXAMPLE / 'networks.py'}:{name}", made / f"{name}.safetensors",
            classes=["background", "vessel"], output="binary", head=head, spatial_dims=3,
        )  # fmt: skip
        with model.frozen(), torch.no_grad():
            assert model.forward(torch.rand(1, 1, 16, 16, 16)).shape == (1, 1, 16, 16, 16)


def test_every_scale_of_the_supervised_network_is_trained() -> None:
    """All heads in one batch, in the order in which the labels are repeated."""
    supervised = networks.unet_mss().eval()
    x = torch.rand(2, 1, 16, 16, 16)
    with torch.no_grad():
        assert torch.equal(Heads(supervised, 3)(x), torch.cat(supervised(x)))
        assert torch.equal(Heads(supervised, 1)(x), supervised(x)[0])
    Heads(supervised.train(), NETWORKS["unet_mss"][1])(x).sum().backward()
    assert all(scale.bias.grad is not None for scale in supervised.scales)


def test_no_phantom_is_both_trained_on_and_asked_about() -> None:
    trained_on, asked = training_phantoms(TINY, 0), held_out_phantoms(TINY, 0)
    assert not {case.id for case in trained_on} & {case.id for case in asked}
    assert {case.id for case in asked}.isdisjoint(case.id for case in held_out_phantoms(TINY, 1))
    assert any(len(set(case.geometry.spacing)) > 1 for case in asked)  # anisotropic
    assert len({case.geometry.orientation for case in asked}) > 1


def test_cases_are_written_with_their_labels_and_geometry(made: Path) -> None:
    for number, phantom in enumerate(held_out_phantoms(TINY, 0), 1):
        case = read_case(made / "cases" / f"case-{number:02d}.nii.gz")
        assert case.geometry.matches(phantom.geometry)
        assert np.array_equal(case.image, phantom.image)
        assert np.array_equal(
            read_mask(made / "cases" / f"case-{number:02d}-vessels.nii.gz", case), phantom.label
        )


def test_the_same_seed_gives_the_same_weights_and_the_same_cases(made: Path, tmp_path: Path) -> None:
    make(tmp_path, TINY)
    first, second = (json.loads((folder / "made.json").read_text())["made"] for folder in (made, tmp_path))
    assert set(first) == {"cases", *NETWORKS}
    assert {name: about["files"] for name, about in first.items()} == {
        name: about["files"] for name, about in second.items()
    }
    make(tmp_path, TINY, seed=1)
    other = json.loads((tmp_path / "made.json").read_text())["made"]
    assert all(set(other[name]["files"].values()).isdisjoint(first[name]["files"].values()) for name in first)


def test_what_is_made_is_left_alone_and_what_is_not_is_made(made: Path) -> None:
    def times() -> dict[str, int]:
        return {p.name: p.stat().st_mtime_ns for p in made.rglob("*") if p.is_file() and p.suffix != ".json"}

    told: list[str] = []
    before = times()
    content = (made / "made.json").read_text()
    make(made, TINY, tell=lambda what, done, of: told.append(what))
    assert times() == before and not told and (made / "made.json").read_text() == content

    damaged = made / "unet_mss.safetensors"
    whole = damaged.read_bytes()
    damaged.unlink()  # a new file, since an earlier test may still have the old one mapped into memory
    damaged.write_bytes(whole[:1000])
    make(made, TINY, tell=lambda what, done, of: told.append(what))
    assert set(told) == {"unet_mss"}
    assert damaged.read_bytes() == whole
    assert {name for name, time in times().items() if time != before[name]} == {damaged.name}


def test_the_published_rule_by_hand() -> None:
    """Two kinds of voxels, −4 and 6: scaled they are 0 and 1, and Otsu's threshold between them is not that of the output.

    It lies in the first of 256 bins, at 1/512, and is compared with −4 and 6 themselves: 5 voxels are above it.
    """
    x = torch.full((1, 1, 2, 3, 4), -4.0)
    x[0, 0, 0, 0] = 6.0
    x[0, 0, 1, 1, 1] = 6.0
    assert ThresholdCounts(Says())(x).tolist() == [[19.0, 5.0]]
    # Shifted by 5, so that every voxel is 1 or 11, all of them are above a threshold that knows nothing of the shift.
    assert ThresholdCounts(Says())(x + 5).tolist() == [[0.0, 24.0]]


def test_a_voxel_of_zero_makes_the_published_counts_undefined() -> None:
    x = torch.tensor([0.0, 0.0, 1.0, 1.0]).reshape(1, 1, 1, 2, 2)
    assert ThresholdCounts(Says())(x).isnan().any()


def test_the_published_counts_have_no_gradient_and_the_sums_do() -> None:
    x = torch.randn((1, 1, 4, 4, 4), generator=torch.Generator().manual_seed(0)) + 0.01
    for of in (0, 1):
        for wrapped, expected in (
            (ThresholdCounts(Says(2.0)), torch.zeros_like(x)),
            (MaskedSums(Says(2.0), x), 2.0 * ((x > 0) == of)),
        ):
            image = x.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(wrapped(image)[0, of], image)
            assert torch.equal(gradient, expected)


def test_the_mask_of_the_sums_stays_that_of_the_image() -> None:
    x = torch.tensor([-1.0, 2.0, 3.0, -4.0]).reshape(1, 1, 1, 2, 2)
    wrapped = MaskedSums(Says(), x)
    assert wrapped(x).tolist() == [[-5.0, 5.0]]
    assert wrapped(-x).tolist() == [[5.0, -5.0]]


def test_the_protocol_prefers_zeros_to_the_true_gradient_of_counts_and_cannot_tell_what_ignores_the_network() -> (
    None
):
    pytest.importorskip("captum")
    x = torch.randn((1, 1, 8, 8, 8), generator=torch.Generator().manual_seed(0))
    wrapped = ThresholdCounts(Says(3.0))
    asked = methods(x, nodes=4)
    rows = {name: judge(name, asked[name], wrapped, x) for name in ("Saliency", ZEROS, RANDOM)}
    assert not any(row.error for row in rows.values())
    assert rows["Saliency"].nonzero == 0 and rows[RANDOM].nonzero == 1
    assert rows["Saliency"].infidelity == rows[ZEROS].infidelity == 0 < rows[RANDOM].infidelity
    assert rows["Saliency"].sensitivity == rows[ZEROS].sensitivity == rows[RANDOM].sensitivity == 0


def test_infidelity_of_a_linear_network_by_hand() -> None:
    """With a target the gradient of a sum has no error; without one it answers for the background's sum as well."""
    pytest.importorskip("captum")
    x = torch.randn((1, 1, 8, 8, 8), generator=torch.Generator().manual_seed(0))
    wrapped = MaskedSums(Says(3.0), x).double()
    x = x.double()
    row = judge("gradient", lambda net: lambda images: 3.0 * (x > 0).double(), wrapped, x, seed=5)
    torch.manual_seed(5)
    noise = 1e-4 * torch.randn_like(x)
    vessel, background = (3 * (noise * mask).sum() for mask in (x > 0, x <= 0))
    assert row.infidelity_target == pytest.approx(0, abs=1e-20)
    assert row.infidelity == pytest.approx(float((vessel - background) ** 2), rel=1e-6)


def test_an_exception_becomes_a_row() -> None:
    pytest.importorskip("captum")

    def refuse(net: nn.Module):
        def explain(images: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("no such luck\nand more")

        return explain

    row = judge("refusing", refuse, MaskedSums(Says(), x := torch.ones(1, 1, 4, 4, 4)), x)
    assert row.error == "RuntimeError: no such luck" and np.isnan(row.infidelity)


def test_the_published_table(made: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    pytest.importorskip("captum")
    kept = ("Saliency", "GuidedBackprop", ZEROS)
    monkeypatch.setattr(
        published,
        "methods",
        lambda x, **options: {k: v for k, v in methods(x, **options).items() if k in kept},
    )
    published.main(["--made", str(made), "--cases", "1"])
    rows = list(csv.DictReader((made / "published.csv").open()))
    assert len(rows) == 3 * 2 * len(kept)
    assert (made / "published.md").read_text() in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"make\.py makes it"):
        published.main(["--made", str(made / "nowhere")])
