"""A StyleGAN2 in plain PyTorch: any channels, any proportions, 2-D and 3-D, on CPU and GPU (Karras et al., CVPR 2020)."""

from __future__ import annotations

from voxplain.counterfactual.style.discriminator import Discriminator
from voxplain.counterfactual.style.encoder import StyleEncoder
from voxplain.counterfactual.style.mapping import Mapping
from voxplain.counterfactual.style.synthesis import Synthesis

__all__ = ["Discriminator", "Mapping", "StyleEncoder", "Synthesis"]
