"""Frozen batch norm with four buffers, as in every backbone of MDETR (eps 1e-5 for all networks)."""

from __future__ import annotations

import torch
from torch import nn


class FrozenBatchNorm(nn.Module):
    """y = x * s + (bias - running_mean * s) with s = weight * rsqrt(running_var + 1e-5)."""

    EPS = 1e-5

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer('weight', torch.ones(channels))
        self.register_buffer('bias', torch.zeros(channels))
        self.register_buffer('running_mean', torch.zeros(channels))
        self.register_buffer('running_var', torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale = self.weight * (self.running_var + self.EPS).rsqrt()
        shift = self.bias - self.running_mean * scale
        return x * scale[:, None, None] + shift[:, None, None]


class FrozenBatchNormAct(FrozenBatchNorm):
    """Frozen batch norm and an activation without state: recent versions of timm merge both (`BatchNormAct2d`)."""

    def __init__(self, channels: int, act: nn.Module) -> None:
        super().__init__(channels)
        self.act = act

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(super().forward(x))


def freeze_batch_norms(module: nn.Module) -> None:
    """Replaces every batch norm below `module`, keeping the activation that recent versions of timm merge into it."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            act = getattr(child, 'act', None)
            channels = child.num_features
            setattr(module, name, FrozenBatchNorm(channels) if act is None else FrozenBatchNormAct(channels, act))
        else:
            freeze_batch_norms(child)


def fold_batch_norms(module: nn.Module) -> None:
    """Folds every frozen batch norm of a ResNet into the preceding convolution (`conv1` + `bn1`, `downsample.0` + `.1`)."""
    children = dict(module.named_children())
    for name, child in children.items():
        norm_name = '1' if name == '0' else name.replace('conv', 'bn')
        norm = children.get(norm_name)
        if isinstance(child, nn.Conv2d) and isinstance(norm, FrozenBatchNorm):
            scale = norm.weight * (norm.running_var + norm.EPS).rsqrt()
            child.weight.data.mul_(scale[:, None, None, None])
            child.bias = nn.Parameter(norm.bias - norm.running_mean * scale)
            setattr(module, norm_name, nn.Identity())
        else:
            fold_batch_norms(child)
