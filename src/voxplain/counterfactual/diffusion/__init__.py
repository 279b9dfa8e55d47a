"""Diffusion: noise is taken away step by step, and a classifier's gradient, or what it says, tells where to."""

from __future__ import annotations

from voxplain.counterfactual.diffusion.conditional import ConditionalDenoiser, conditional_unet
from voxplain.counterfactual.diffusion.denoiser import Denoiser, unet
from voxplain.counterfactual.diffusion.generator import DiffusionGenerator
from voxplain.counterfactual.diffusion.schedule import Schedule

__all__ = ["ConditionalDenoiser", "Denoiser", "DiffusionGenerator", "Schedule", "conditional_unet", "unet"]
