"""Principal components against NumPy's covariance, and whitening against its definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from voxplain.counterfactual.generator import Generator, LatentStatistics, PcaGenerator
from voxplain.errors import InputError


def images(n=60, shape=(2, 4, 5), seed=0):
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(n, 12)) @ rng.normal(size=(12, int(np.prod(shape))))
    return torch.from_numpy((3 + mixed).reshape(n, *shape))


def test_components_are_the_eigenvectors_of_the_covariance():
    x = images()
    found = PcaGenerator.fit(x, 5)
    covariance = np.cov(x.flatten(1).numpy().T)
    values, vectors = np.linalg.eigh(covariance)
    np.testing.assert_allclose(found.deviations.numpy() ** 2, values[::-1][:5], rtol=1e-9)
    overlaps = np.abs(found.components.flatten(1).numpy() @ vectors[:, ::-1][:, :5])
    np.testing.assert_allclose(overlaps, np.eye(5), atol=1e-8)
    assert found.explained == pytest.approx(values[::-1][:5].sum() / values.sum())
    assert isinstance(found, Generator)


def test_a_share_takes_as_many_components_as_it_needs():
    x = images()
    values = np.linalg.eigvalsh(np.cov(x.flatten(1).numpy().T))[::-1]
    wanted = int((np.cumsum(values) / values.sum() < 0.9).sum()) + 1
    found = PcaGenerator.fit(x, 0.9)
    assert len(found.deviations) == wanted and found.explained >= 0.9


def test_encoding_undoes_decoding_and_all_components_hold_every_image():
    x = images()
    some, every = PcaGenerator.fit(x, 4), PcaGenerator.fit(x, 12)  # 12 mixed sources: rank 12
    codes = some.sample(7, seed=3)
    torch.testing.assert_close(some.encode(some.decode(codes)), codes)
    torch.testing.assert_close(every.decode(every.encode(x)), x)
    # the nearest image of the family: what is left has no part in it
    rest = (x - some.decode(some.encode(x))).flatten(1)
    assert float((rest @ some.components.flatten(1).T).abs().max()) < 1e-9


def test_samples_have_the_statistics_and_depend_on_the_seed():
    found = PcaGenerator.fit(images(), 3)
    drawn = found.sample(20_000, seed=1)
    np.testing.assert_allclose(
        np.cov(drawn.numpy().T), np.diag(found.deviations.numpy() ** 2), rtol=0.05, atol=2
    )
    assert torch.equal(drawn, found.sample(20_000, seed=1)) and not torch.equal(
        drawn, found.sample(20_000, seed=2)
    )


def test_whitened_codes_have_mean_zero_and_covariance_one():
    rng = np.random.default_rng(0)
    codes = torch.from_numpy(
        rng.normal(size=(400, 3)) @ np.diag([9.0, 1.0, 0.1]) @ rng.normal(size=(3, 6)) + 5
    )
    found = LatentStatistics.of(codes)
    u = found.whiten(codes)
    assert found.rank == 3  # of six axes
    np.testing.assert_allclose(np.cov(u.numpy().T), np.eye(3), atol=1e-8)
    torch.testing.assert_close(found.colour(u), codes)
    inverse = np.linalg.pinv(np.cov(codes.numpy().T), rcond=1e-9, hermitian=True)
    gap = (codes - codes.mean(0)).numpy()
    wanted = np.sqrt(np.einsum("ni,ij,nj->n", gap, inverse, gap))
    np.testing.assert_allclose(found.distance(codes).numpy(), wanted, rtol=1e-6)


def test_a_file_keeps_every_bit(tmp_path):
    found = PcaGenerator.fit(images().float(), 4)
    found.save(tmp_path / "a/pca.safetensors")
    again = PcaGenerator.load(tmp_path / "a/pca.safetensors")
    for name in ("mean", "components", "deviations"):
        assert torch.equal(getattr(found, name), getattr(again, name))
    assert again.explained == found.explained
    (tmp_path / "bad").write_bytes(b"no")
    with pytest.raises(InputError, match="bad: cannot be read"):
        PcaGenerator.load(tmp_path / "bad")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PcaGenerator.fit(torch.ones(1, 1, 3, 3)), r"images: found shape \(1, 1, 3, 3\)"),
        (lambda: PcaGenerator.fit(torch.ones(4, 1, 3, 3)), "images: found all alike"),
        (lambda: PcaGenerator.fit(images(5), 5), "components: found 5, expected 1 … 4"),
        (lambda: PcaGenerator.fit(images(), 1.5), "components: found 1.5"),
        (
            lambda: PcaGenerator.fit(images(), 3).encode(torch.ones(1, 1, 4, 5)),
            r"images: found shape \(1, 4, 5\)",
        ),
        (lambda: LatentStatistics.of(torch.ones(3, 2)), "codes: found all alike"),
        (lambda: LatentStatistics.of(torch.ones(1, 2)), "expected"),
        (lambda: LatentStatistics(torch.ones(3), torch.ones(2, 2)), "factor: found shape"),
    ],
)
def test_what_cannot_be_learned_from_is_told(make, message):
    with pytest.raises(InputError, match=message):
        make()
