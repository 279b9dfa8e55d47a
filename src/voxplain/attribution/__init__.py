"""Methods, one file per family, and what they answer."""

from voxplain.attribution.attribution import Answer, Attribution
from voxplain.attribution.baseline import Baseline, Blur, Constant, Mean, Minimum, OtherCase, default_baseline
from voxplain.attribution.cam import GradCam, GradCamPlusPlus, HiResCam
from voxplain.attribution.gradient import (
    ExpectedGradients,
    Gradient,
    InputXGradient,
    IntegratedGradients,
    SmoothGrad,
    SmoothGradSquared,
    VarGrad,
)
from voxplain.attribution.method import Method, Result, method, methods, register
from voxplain.attribution.occlusion import Occlusion

__all__ = [
    "Answer",
    "Attribution",
    "Baseline",
    "Blur",
    "Constant",
    "ExpectedGradients",
    "GradCam",
    "GradCamPlusPlus",
    "Gradient",
    "HiResCam",
    "InputXGradient",
    "IntegratedGradients",
    "Mean",
    "Method",
    "Minimum",
    "Occlusion",
    "OtherCase",
    "Result",
    "SmoothGrad",
    "SmoothGradSquared",
    "VarGrad",
    "default_baseline",
    "method",
    "methods",
    "register",
]
