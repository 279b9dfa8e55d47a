"""Methods, one file per idea in a folder per family, and what they answer."""

from voxplain.attribution.attribution import Answer, Attribution
from voxplain.attribution.backprop.deeplift import DeepLift, DeepLiftShap
from voxplain.attribution.backprop.excitation import ContrastiveExcitationBackprop, ExcitationBackprop
from voxplain.attribution.backprop.guided import Deconvolution, GuidedBackprop, GuidedGradCam
from voxplain.attribution.backprop.lrp import Lrp
from voxplain.attribution.baseline import Baseline, Blur, Constant, Mean, Minimum, OtherCase, default_baseline
from voxplain.attribution.cam.ablation import AblationCam
from voxplain.attribution.cam.eigen import EigenCam, EigenGradCam
from voxplain.attribution.cam.evidence import Evidence
from voxplain.attribution.cam.gradients import GradCam, GradCamPlusPlus, HiResCam, LayerCam, XGradCam
from voxplain.attribution.cam.score import ScoreCam
from voxplain.attribution.gradient.blur_ig import BlurIntegratedGradients
from voxplain.attribution.gradient.expected_gradients import ExpectedGradients
from voxplain.attribution.gradient.guided_ig import GuidedIntegratedGradients
from voxplain.attribution.gradient.integrated_gradients import IntegratedGradients
from voxplain.attribution.gradient.noise_tunnel import NoiseTunnel
from voxplain.attribution.gradient.plain import Gradient, InputXGradient
from voxplain.attribution.gradient.smoothgrad import SmoothGrad, SmoothGradSquared, VarGrad
from voxplain.attribution.layer.deep_lift import LayerDeepLift
from voxplain.attribution.layer.looks import InternalInfluence, LayerActivation, LayerGradientXActivation
from voxplain.attribution.layer.neuron import LayerActivationGuidedBackprop, NeuronGradient
from voxplain.attribution.layer.paths import LayerConductance, LayerGradientShap, LayerIntegratedGradients
from voxplain.attribution.method import Method, Result, find, method, methods, register
from voxplain.attribution.perturbation.ablation import FeatureAblation
from voxplain.attribution.perturbation.extremal import ExtremalPerturbation
from voxplain.attribution.perturbation.lime import Lime
from voxplain.attribution.perturbation.occlusion import Occlusion
from voxplain.attribution.perturbation.permutation import FeaturePermutation
from voxplain.attribution.perturbation.rise import Rise
from voxplain.attribution.shapley.contrast import ContrastShapley
from voxplain.attribution.shapley.kernel import KernelShap
from voxplain.attribution.shapley.sampling import ShapleySampling
from voxplain.attribution.streamed import Streamed
from voxplain.attribution.synthesis.dream import DeepDream
from voxplain.attribution.synthesis.maximization import ActivationMaximization

__all__ = [
    "AblationCam",
    "ActivationMaximization",
    "Answer",
    "Attribution",
    "Baseline",
    "Blur",
    "BlurIntegratedGradients",
    "Constant",
    "ContrastShapley",
    "ContrastiveExcitationBackprop",
    "Deconvolution",
    "DeepDream",
    "DeepLift",
    "DeepLiftShap",
    "EigenCam",
    "EigenGradCam",
    "Evidence",
    "ExcitationBackprop",
    "ExpectedGradients",
    "ExtremalPerturbation",
    "FeatureAblation",
    "FeaturePermutation",
    "GradCam",
    "GradCamPlusPlus",
    "Gradient",
    "GuidedBackprop",
    "GuidedGradCam",
    "GuidedIntegratedGradients",
    "HiResCam",
    "InputXGradient",
    "IntegratedGradients",
    "InternalInfluence",
    "KernelShap",
    "LayerActivation",
    "LayerActivationGuidedBackprop",
    "LayerCam",
    "LayerConductance",
    "LayerDeepLift",
    "LayerGradientShap",
    "LayerGradientXActivation",
    "LayerIntegratedGradients",
    "Lime",
    "Lrp",
    "Mean",
    "Method",
    "Minimum",
    "NeuronGradient",
    "NoiseTunnel",
    "Occlusion",
    "OtherCase",
    "Result",
    "Rise",
    "ScoreCam",
    "ShapleySampling",
    "SmoothGrad",
    "SmoothGradSquared",
    "Streamed",
    "VarGrad",
    "XGradCam",
    "default_baseline",
    "find",
    "method",
    "methods",
    "register",
]
