"""An independent truth for left and right: livers are on the patient's right, spleens on the left."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from voxplain.case import Geometry
from voxplain.report import scenes

SPLEEN, LIVER = 1, 5  # TotalSegmentator's numbering


@pytest.mark.real
@pytest.mark.parametrize(
    ("image", "labels"),
    [
        ("ct/example_ct_sm.nii.gz", "ct/example_seg.nii.gz"),  # RAS
        ("mr_abdomen/example_mr_sm.nii.gz", "mr_abdomen/example_seg_mr.nii.gz"),  # LPS
    ],
)
@pytest.mark.parametrize("turned", [None, "LIA", "SRP"])
def test_liver_is_on_the_left_of_the_picture_and_spleen_on_the_right(data, image, labels, turned):
    scan, truth = nib.load(data / image), nib.load(data / labels)
    if turned:
        to = nib.orientations.axcodes2ornt(turned)
        scan, truth = (
            i.as_reoriented(nib.orientations.ornt_transform(nib.io_orientation(i.affine), to))
            for i in (scan, truth)
        )
    segmentation = np.asarray(truth.dataobj).astype(int)
    geometry = Geometry(scan.affine, scan.shape)
    values = (segmentation == LIVER) * 1.0 - (segmentation == SPLEEN)
    (scene,) = scenes(
        np.asarray(scan.dataobj, np.float32), values, geometry=geometry, prediction=segmentation
    )
    for plane in scene.view.planes()[:2]:  # axial, coronal
        shadow = plane.turn(scene.values.sum(axis=plane.axis))
        columns = np.arange(shadow.shape[1])
        liver = np.average(columns, weights=np.clip(shadow, 0, None).sum(0))
        spleen = np.average(columns, weights=np.clip(-shadow, 0, None).sum(0))
        assert liver < shadow.shape[1] / 2 < spleen
        assert plane.letters is not None
        assert plane.letters[:2] == ("R", "L")
    # The bodies lie on their backs: both organs' spine side is at the bottom, so the table (CT) or the spine
    # (label 91.. or the back muscles) is below; the kidneys are behind the liver's centre.
    kidneys = np.argwhere(np.isin(scene.prediction, (2, 3)))[:, 1].mean()
    assert kidneys > np.argwhere(scene.prediction == LIVER)[:, 1].mean()
