"""Diffusion: noise is taken away step by step, and a classifier's gradient says where to."""

from __future__ import annotations

from voxplain.counterfactual.diffusion.denoiser import Denoiser, unet
from voxplain.counterfactual.diffusion.generator import DiffusionGenerator
from voxplain.counterfactual.diffusion.schedule import Schedule

__all__ = ["Denoiser", "DiffusionGenerator", "Schedule", "unet"]
