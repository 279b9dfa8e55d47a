"""Attributions belong to the anatomy: they commute with flips and with the order of the file's axes."""

from __future__ import annotations

from functools import cache
from itertools import permutations, product

import numpy as np
import pytest
import torch
from networks import random_case, smooth_segmenter
from nibabel.orientations import apply_orientation, inv_ornt_aff
from scipy import ndimage
from torch import nn

from voxplain.attribution import method
from voxplain.case import Case, Geometry
from voxplain.engine import Problem
from voxplain.model import Model, Preparation, Windows
from voxplain.target import PredictedRegion

SHAPE = (7, 9, 6)
ORIENTATIONS = [
    np.array(list(zip(axes, signs, strict=True)), float)
    for axes in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]
METHODS = {
    "gradient": {},
    "integrated_gradients": {"nodes": 4, "baseline": "blur"},
    "grad_cam": {"layer": "1", "relu": False},
    "occlusion": {"size": 3, "stride": 2, "baseline": "minimum"},
}


def anatomy() -> Case:
    image = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), 1) * 4
    affine = np.diag([-1.5, 1.0, 2.0, 1.0])  # LAS, anisotropic
    affine[:3, 3] = [40.0, -30.0, 12.0]
    return Case(
        "subject", image[None].astype(np.float32), Geometry(affine, SHAPE), label=(image > 1).astype(int)
    )


def stored(case: Case, orientation: np.ndarray) -> Case:
    """The same anatomy in a file with other axes: voxels and affine change together."""
    image = apply_orientation(case.image[0], orientation)
    affine = case.geometry.affine @ inv_ornt_aff(orientation, case.spatial_shape)
    return Case(
        "subject",
        image[None],
        Geometry(affine, image.shape),
        label=apply_orientation(case.label, orientation),
    )


@cache
def maps_of(index: int) -> dict[str, np.ndarray]:
    case = stored(anatomy(), ORIENTATIONS[index])
    net = smooth_segmenter(3).double()
    model = Model(
        net, prepare=Preparation(orientation="LIA"), windows=Windows(roi=6, overlap=0.5, blend="gaussian")
    )
    p = Problem(model, case, PredictedRegion(class_name=1), dtype=torch.float64)
    return {name: method(name, **parameters).attribute(p).map()[0] for name, parameters in METHODS.items()}


def test_there_are_48_orientations():
    codes = {stored(anatomy(), o).geometry.orientation for o in ORIENTATIONS}
    assert len(codes) == 48


@pytest.mark.parametrize(
    "index", range(48), ids=lambda i: stored(anatomy(), ORIENTATIONS[i]).geometry.orientation
)
def test_maps_do_not_depend_on_the_order_of_the_files_axes(index):
    for name, reference in maps_of(0).items():
        found = maps_of(index)[name]
        assert np.abs(reference).max() > 0
        truth = apply_orientation(reference, ORIENTATIONS[index])
        np.testing.assert_allclose(found, truth, rtol=0, atol=1e-6 * np.abs(reference).max(), err_msg=name)


@pytest.mark.parametrize("index", [0, 11, 29, 47])
def test_a_voxel_of_the_image_and_of_the_map_are_the_same_place(index):
    """The gradient at a physical point, found by its millimetres in both files."""
    case, reference = stored(anatomy(), ORIENTATIONS[index]), stored(anatomy(), ORIENTATIONS[0])
    rng = np.random.default_rng(1)
    for voxel in rng.integers(0, case.spatial_shape, (5, 3)):
        place = case.geometry.affine @ [*voxel, 1]
        other = np.linalg.solve(reference.geometry.affine, place)[:3].round().astype(int)
        assert case.image[(0, *voxel)] == reference.image[(0, *other)]
        a, b = maps_of(index)["gradient"][tuple(voxel)], maps_of(0)["gradient"][tuple(other)]
        assert a == pytest.approx(b, rel=1e-5, abs=1e-9)


def equivariant(dims: int) -> nn.Module:
    """Convolutions whose kernels equal their own flips and transposes: f(flip x) = flip f(x)."""
    net = smooth_segmenter(dims).double()
    with torch.no_grad():
        for layer in (net[0], net[2]):
            total = torch.zeros_like(layer.weight)
            for axes in permutations(range(2, dims + 2)):
                for flips in product((False, True), repeat=dims):
                    turned = layer.weight.permute(0, 1, *axes)
                    total += turned.flip([a + 2 for a, f in enumerate(flips) if f])
            layer.weight.copy_(total / total.std() * layer.weight.std())
        net[2].weight -= net[2].weight.mean(dim=tuple(range(2, dims + 2)), keepdim=True)
        net[2].weight *= 5
    return net


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("dims", [2, 3])
def test_an_equivariant_network_has_equivariant_maps(dims, name):
    shape = (8, 11) if dims == 2 else (8, 5, 11)  # whole cubes of occlusion, whichever end they start from
    parameters = {**METHODS[name]}
    case = random_case(shape)

    def found(image: np.ndarray) -> np.ndarray:
        geometry = Geometry(np.eye(4), image.shape[1:]) if dims == 3 else None
        p = Problem(
            Model(equivariant(dims), spatial_dims=dims),
            Case("x", image, geometry),
            PredictedRegion(class_name=1),
            dtype=torch.float64,
        )
        return method(name, **parameters).attribute(p).map()

    if name == "occlusion":
        parameters |= {"size": (2,) * dims, "stride": (1,) * dims}
    reference = found(case.image)
    assert np.abs(reference).max() > 0
    for axis in range(1, dims + 1):
        np.testing.assert_allclose(
            found(np.flip(case.image, axis).copy()), np.flip(reference, axis), rtol=1e-5, atol=1e-8
        )
    order = (0, *range(dims, 0, -1))
    turned = found(np.ascontiguousarray(case.image.transpose(order)))
    np.testing.assert_allclose(turned, reference.transpose(order), rtol=1e-5, atol=1e-8)
