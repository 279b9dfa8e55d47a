"""Cells that do not get the plain proof, each with its reason; the page shows them all.

Nothing is left out in silence: a reason here is printed in docs/matrix.md, and a fault that is mended fails its test
until it is taken out of this list.
"""

from __future__ import annotations

from typing import Any

# other parameters than those of tests/small.py
ASKED: dict[str, dict[str, Any]] = {
    # from a constant image all gradients of a convolutional network are equal up to rounding, which then picks the path
    "guided_ig": {"baseline": "blur"},
    # larger parts, and samples enough for the 64 of the largest image: with fewer these two refuse
    "kernel_shap": {"size": 8, "samples": 140},
    "lime": {"size": 8, "samples": 140},
    "shapley_sampling": {"size": 8},
    "feature_permutation": {"size": 8},
    "feature_ablation": {"size": 8},
}

# methods that amplify rounding: the least correlation of their maps of an image and of the image times 1 + 10⁻⁶
UNSTABLE: dict[str, float] = {
    # processors round differently, and how far that is carried depends on them
    "activation_maximization": 0.7,  # steps of an optimisation, each of the gradient's full length
    "deep_lift": 0.7,  # max pooling over values that almost tie, of image and reference
    "extremal_perturbation": 0.7,  # an optimisation
    "guided_ig": 0.7,  # which voxels move next is a matter of order
}

# (method, network, shape): what is wrong with the method there; the plain proof must fail
FAULTS: dict[tuple[str, str, str], str] = {}

# (method, network, shape): why the map is constant and rightly so
CONSTANT: dict[tuple[str, str, str], str] = {
    ("internal_influence", "densenet121", shape): (
        "constant, and rightly so: the layer is pooled to one voxel at once, so that its gradient is the same everywhere"
    )
    for shape in ("2-D", "3-D")
}

# (method, network, shape): why no class has a map both before and after the weights are drawn again
ZERO: dict[tuple[str, str, str], str] = {
    **{
        ("guided_grad_cam", "brain_mask_unet", shape): (
            "status zero: of each class either the rectified Grad-CAM or the guided gradient is zero everywhere"
        )
        for shape in ("3-D", "3-D windows")
    },
    **{
        ("internal_influence", network, shape): (
            "status zero: the default layer is followed by a LayerNorm, so that its gradients sum to zero over the "
            "features; one feature map (channel=…) has a map"
        )
        for network in ("vit", "convnext")
        for shape in ("2-D", "3-D")
    },
    **{
        ("guided_grad_cam", network, "2-D"): (
            "status zero of one class or the other: either the rectified Grad-CAM or the guided gradient is zero everywhere"
        )
        for network in ("efficientnet_b0", "vessel_unet_mss")
    },
    ("activation_maximization", "densenet121", "3-D"): (
        "status zero with the second draw of weights: no gradient passes its ReLUs where the image is faint noise"
    ),
}
