"""Images that are stored in several orientations are refused unless something turns them alike."""

import numpy as np
import pytest

from voxplain.case import Geometry, write_array
from voxplain.errors import InputError
from voxplain.inherent.data import Sample
from voxplain.inherent.data.orientations import check_orientations

RAS, LPS = np.eye(4), np.diag([-1.0, -1, 1, 1])


@pytest.fixture
def samples(tmp_path):
    found = []
    for name, affine in (("a", RAS), ("b", LPS), ("c", RAS)):
        write_array(tmp_path / f"{name}.nii.gz", np.zeros((4, 5, 3), np.float32), Geometry(affine, (4, 5, 3)))
        found.append(Sample(name, tmp_path / f"{name}.nii.gz", 0, name))
    return found


def test_several_orientations_are_named(samples):
    with pytest.raises(
        InputError, match=r"stored in 2 orientations: RAS \(a, c\); LPS \(b\); expected one such as RAS"
    ):
        check_orientations(samples, None)


def test_one_orientation_and_steps_that_turn_are_taken(samples, tmp_path):
    check_orientations(samples[::2], None)
    check_orientations(samples, "LPS")
    check_orientations([Sample("array", np.zeros((1, 4, 4)), 0, "p")], None)
    (tmp_path / "no.nii.gz").write_bytes(b"nothing")  # is told by what reads it
    check_orientations([samples[0], Sample("no", tmp_path / "no.nii.gz", 0, "p")], None)
