"""Networks whose map is the decision: the three GP networks, and any encoder-decoder wrapped."""

from voxplain.inherent.networks.gp_recon_resnet import GPReconResNet
from voxplain.inherent.networks.gp_shuffle_unet import GPShuffleUNet
from voxplain.inherent.networks.gp_unet import GPUNet
from voxplain.inherent.networks.registry import make_network, network_names
from voxplain.inherent.networks.wrap import wrap

__all__ = ["GPReconResNet", "GPShuffleUNet", "GPUNet", "make_network", "network_names", "wrap"]
