"""MONAI's networks, as small as each architecture allows."""

from __future__ import annotations

from collections.abc import Callable

from monai.networks import nets
from monai.networks.nets.resnet import ResNet, ResNetBlock
from torch import Tensor, nn
from torch.nn import functional as F

K = 3
CHANNELS, STRIDES = (4, 6, 8), (2, 2)


class DeepSupervision(nets.DynUNet):
    """A DynUNet that returns the list of all scales, as its training loop sees it."""

    def forward(self, x: Tensor) -> list[Tensor]:
        out = self.output_block(self.skip_layers(x))
        return [out, *(F.interpolate(scale, out.shape[2:]) for scale in self.heads)]


class ViTClassifier(nn.Module):
    """MONAI's ViT returns its hidden states as well; a classifier is its first output."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.vit = nets.ViT(
            1, (32, 32) if dims == 2 else (16,) * 3, 8, hidden_size=12, mlp_dim=24, num_layers=2, num_heads=3,
            classification=True, num_classes=K, spatial_dims=dims,
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.vit(x)[0]


def dynunet(dims: int, kind: Callable[..., nn.Module] = nets.DynUNet, **kwargs: object) -> nn.Module:
    return kind(dims, 1, K, [3, 3, 3, 3], [1, 2, 2, 2], [2, 2, 2], filters=[4, 6, 8, 10], **kwargs)


MAKERS: dict[str, Callable[[int], nn.Module]] = {
    # the default of MONAI and its tutorials: InstanceNorm, PReLU, residual units
    "unet": lambda d: nets.UNet(d, 2, K, CHANNELS, STRIDES, num_res_units=2),
    "unet_batchnorm": lambda d: nets.UNet(d, 1, K, CHANNELS, STRIDES, act="RELU", norm="BATCH"),
    "basic_unet": lambda d: nets.BasicUNet(d, 1, K, features=(4, 4, 6, 6, 8, 4)),
    "segresnet": lambda d: nets.SegResNet(
        d, 4, 4, K, norm=("GROUP", {"num_groups": 2}), blocks_down=(1, 1, 1), blocks_up=(1, 1)
    ),
    "dynunet": lambda d: dynunet(d, deep_supervision=True, deep_supr_num=1),
    "dynunet_list": lambda d: dynunet(d, DeepSupervision, deep_supervision=True, deep_supr_num=2),
    "attention_unet": lambda d: nets.AttentionUnet(d, 1, K, CHANNELS, STRIDES),
    "swin_unetr": lambda d: nets.SwinUNETR(
        1, K, depths=(1, 1, 1, 1), num_heads=(1, 2, 2, 4), window_size=4, feature_size=12, spatial_dims=d
    ),
    "unetr": lambda d: nets.UNETR(
        1, K, (32, 32) if d == 2 else (16,) * 3, feature_size=4, hidden_size=12, mlp_dim=24, num_heads=3,
        spatial_dims=d,
    ),
    "densenet121": lambda d: nets.DenseNet121(d, 1, K, init_features=4, growth_rate=2),
    "resnet18": lambda d: ResNet(
        ResNetBlock, [2, 2, 2, 2], [4, 6, 8, 10], spatial_dims=d, n_input_channels=2, conv1_t_stride=2,
        num_classes=K,
    ),
    "efficientnet_b0": lambda d: nets.EfficientNetBN(
        "efficientnet-b0", pretrained=False, spatial_dims=d, in_channels=1, num_classes=K
    ),
    "vit": ViTClassifier,
}  # fmt: skip
CLASSIFIERS = {"densenet121", "resnet18", "efficientnet_b0", "vit"}
# contrasts of one scan: two for the networks that are asked in every shape, four as in BraTS
CONTRASTS = {"unet": 2, "resnet18": 2, "segresnet": 4}
HEADS = {"dynunet_list": 0}
# BasicUNet halves four times, Swin UNETR five, and their InstanceNorms want two voxels even then; the classifiers
# halve until nothing would be left of a smaller volume
SHAPES = {
    "basic_unet": {2: (32, 32), 3: (32, 16, 16)},
    "swin_unetr": {2: (64, 32), 3: (64, 32, 32)},
    "densenet121": {2: (32, 32), 3: (32, 32, 32)},
    "efficientnet_b0": {2: (32, 32), 3: (32, 32, 32)},
}
WIDE = {
    "basic_unet": {2: (48, 32), 3: (48, 16, 16)},
    "swin_unetr": {2: (96, 32), 3: (96, 32, 32)},
}
# too slow for methods of many passes
SLOW = {"swin_unetr": (3,), "efficientnet_b0": (3,)}
