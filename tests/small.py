"""Parameters that make every method quick enough for tests on small images; methods that need none are not listed."""

from __future__ import annotations

from typing import Any

SMALL: dict[str, dict[str, Any]] = {
    "occlusion": {"size": 4},
    "feature_ablation": {"size": 4},
    "feature_permutation": {"size": 4, "draws": 2},
    "rise": {"draws": 6, "cells": 3},
    "lime": {"size": 4, "samples": 30},
    "extremal_perturbation": {"areas": 0.2, "steps": 3},
    "ablation_cam": {"channels": 2},
    "score_cam": {"channels": 2},
    "kernel_shap": {"size": 4, "samples": 32},
    "shapley_sampling": {"size": 4, "permutations": 4},
    "activation_maximization": {"steps": 2},
    "blur_ig": {"nodes": 2},
    "deep_dream": {"steps": 1, "octaves": 2},
    "guided_ig": {"steps": 2},
    "noise_tunnel": {"of": "integrated_gradients(nodes=2)", "draws": 2},
    "integrated_gradients": {"nodes": 3},
    "smoothgrad": {"draws": 2},
    "smoothgrad_squared": {"draws": 2},
    "vargrad": {"draws": 2},
    "expected_gradients": {"draws": 4},
    "internal_influence": {"nodes": 2},
    "layer_conductance": {"nodes": 2},
    "layer_integrated_gradients": {"nodes": 2},
    "layer_gradient_shap": {"draws": 4},
}
