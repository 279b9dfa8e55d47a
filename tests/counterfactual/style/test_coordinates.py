"""Channels of style space in a synthesis that was built by hand: each is the brightness of one place."""

from __future__ import annotations

import pytest
import torch

from voxplain.counterfactual.direction import attributes
from voxplain.counterfactual.generator import LatentStatistics
from voxplain.counterfactual.generator.coordinates import coordinates_of
from voxplain.counterfactual.style import Mapping, Synthesis
from voxplain.counterfactual.style.coordinates import StyleCoordinates
from voxplain.counterfactual.style.generator import StyleGenerator
from voxplain.counterfactual.style.layers import enlarged
from voxplain.errors import InputError

CHANNEL = 0
DELTA = torch.eye(16).reshape(16, 4, 4)


@pytest.fixture(scope="module")
def made():
    """The constant has a channel per place of 4 × 4, the first convolution leaves them, the coarse image is shown."""
    torch.manual_seed(0)
    mapping, synthesis = Mapping(6, 2), Synthesis((1, 8, 8), 6, levels=1, width=8, most=16)
    synthesis.scale.set(torch.full((1, 8, 8), 0.5), torch.tensor(2.0))
    with torch.no_grad():
        synthesis.constant.copy_(DELTA)
        for parameter in synthesis.blocks[0].convs[0].weight, synthesis.blocks[1].image.weight:
            parameter.zero_()
        synthesis.blocks[0].convs[0].weight[:, :, 1, 1] = torch.eye(16)
        synthesis.blocks[0].image.weight.fill_(1)
        for layer in synthesis.blocks[0].convs[0], synthesis.blocks[0].image:
            layer.style.weight.mul_(0.1)  # scales stay near 1, and so above 0, whatever the style
    return StyleGenerator(mapping, synthesis)


def touched():
    """(8, 8) what enlarging makes of the place."""
    return enlarged(DELTA[None, CHANNEL][None])[0, 0]


def score(images):
    """The corner, which is of the first place alone: elsewhere, enlarged places overlap."""
    return 100 * images[:, 0, 0, 0]


def test_scales_are_those_that_images_are_made_of(made):
    codes = made.sample(5, seed=1)
    scales = made.synthesis.scales(codes)
    assert [s.shape[1] for s in scales] == made.synthesis.widths == [16, 16, 16, 8, 8]
    assert made.synthesis.scale_names == [
        "level 0, convolution 0", "level 0, image", "level 1, convolution 0", "level 1, convolution 1", "level 1, image",
    ]  # fmt: skip
    assert torch.equal(made.synthesis.styled(scales), made.decode(codes))


def test_one_channel_changes_one_place_and_is_found(made):
    codes = made.sample(40, seed=1)
    (found,) = attributes(made, score, codes, step=2.0)
    where = coordinates_of(made)
    assert isinstance(where, StyleCoordinates)
    assert found.place == where.place(found.coordinate) == f"level 0, image, channel {CHANNEL}"
    plain, moved = made.decode(codes), where.moved(codes, found.coordinate, 2.0)
    inside = touched() > 0
    assert torch.equal(moved[:, 0, ~inside], plain[:, 0, ~inside]) and bool(
        (moved != plain)[:, 0, inside].all()
    )
    # by hand: the style's spread, the layer's weight of 1 and its scale, what is left of the constant's 1, the images' unit
    layer = made.synthesis.blocks[0].image
    spread = layer.style(made.sample(1024, seed=0))[:, CHANNEL].std()
    left = (plain[0, 0, 0, 0] - 0.5) / 2 / layer.style(codes)[0, CHANNEL] / layer.scale
    wanted = 2 * spread * layer.scale * left * 2 * 100
    assert found.effect == pytest.approx(float(wanted), rel=1e-3) and found.share == 1
    rises = (moved - plain)[:, 0, inside].mean(1)
    assert found.sign == (1 if float(rises.mean()) > 0 else -1)


def test_codes_change_all_places_at_once(made):
    codes = made.sample(40, seed=1)
    found = attributes(made, score, codes, step=2.0, space="codes")
    where = coordinates_of(made, "codes")
    assert len(found) > 1 and all(a.place == "" for a in found)
    moved = where.moved(codes, found[0].coordinate, 2.0) - made.decode(codes)
    assert bool((moved[:, 0, touched() == 0] != 0).any())


def test_coordinates_come_from_the_one_that_changes_most_and_inert_ones_are_left_out(made):
    where, mean = coordinates_of(made), made.sample(1024, seed=0).mean(0, keepdim=True)
    names = [where.place(k) for k in range(where.count)]
    assert len(set(names)) == where.count and not [name for name in names if "level 1" in name]
    assert all("level 0, image" in name for name in names[:16])
    sizes = [float((where.moved(mean, k, 1.0) - made.decode(mean)).square().mean()) for k in range(16)]
    assert sizes == sorted(sizes, reverse=True)


def test_a_style_for_every_layer_is_moved_alike(made):
    plus = StyleGenerator(made.mapping, made.synthesis, space="w+")
    codes = made.sample(3, seed=1)
    here, there = coordinates_of(made), coordinates_of(plus)
    torch.testing.assert_close(there.moved(codes.repeat(1, 3), 2, 1.0), here.moved(codes, 2, 1.0))


def test_families_without_styles_have_codes_alone(made):
    class Codes:
        statistics = LatentStatistics(torch.zeros(2), torch.diag(torch.tensor([2.0, 1.0])))

        def decode(self, codes):
            return codes.reshape(-1, 1, 1, 2)

    where = coordinates_of(Codes())
    assert where.count == 2 and where.moved(torch.zeros(1, 2), 0, 1.5).flatten().tolist() == [3, 0]
    with pytest.raises(InputError, match=r"attributes.space: found styles for a generator without"):
        coordinates_of(Codes(), "styles")
