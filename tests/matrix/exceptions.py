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
    "activation_maximization": 0.9,  # steps of an optimisation, each of the gradient's full length
    "extremal_perturbation": 0.9,  # an optimisation
    "guided_ig": 0.9,  # which voxels move next is a matter of order
}

# (method, network, shape): what is wrong with the method there; the plain proof must fail
FAULTS: dict[tuple[str, str, str], str] = {}

# (method, network, shape): why the map is constant and rightly so
CONSTANT: dict[tuple[str, str, str], str] = {
    ("internal_influence", "densenet121", "3-D"): (
        "constant, and rightly so: the layer is pooled to one voxel at once, so that its gradient is the same everywhere"
    ),
}

# (method, network, shape): why no class has a map both before and after the weights are drawn again
ZERO: dict[tuple[str, str, str], str] = {
    ("guided_grad_cam", "brain_mask_unet", "3-D windows"): (
        "status zero: of each class either the rectified Grad-CAM or the guided gradient is zero everywhere"
    ),
    ("internal_influence", "vit", "3-D"): (
        "status zero: the default layer is followed by a LayerNorm, so that its gradients sum to zero over the features; "
        "one feature map (channel=…) has a map"
    ),
    ("guided_grad_cam", "efficientnet_b0", "2-D"): (
        "status zero of one class or the other: either the rectified Grad-CAM or the guided gradient is zero everywhere"
    ),
}
