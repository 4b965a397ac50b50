"""torchvision's ResNets without pooling and classifier, with a given norm layer; and ResNet-18 at half width."""

from __future__ import annotations

from typing import Callable

import torch
import torchvision
from torch import nn
from torchvision.models.resnet import BasicBlock

STAGES = ('layer1', 'layer2', 'layer3', 'layer4')
Norm = Callable[[int], nn.Module]


class ResNetBody(nn.Module):
    """(B, 3, H, W) -> the four stages' outputs. Keys are torchvision's (`conv1.weight`, `layer1.0.bn1.weight` ...)."""

    def __init__(self, name: str, norm: Norm) -> None:
        super().__init__()
        net = half_resnet18(norm) if name == 'resnet18-half' else getattr(torchvision.models, name)(weights=None, norm_layer=norm)
        for key, child in net.named_children():
            if key not in ('avgpool', 'fc'):
                setattr(self, key, child)
        self.channels: int = self.layer4[-1].bn2.weight.numel() * getattr(self.layer4[-1], 'expansion', 1)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        maps = []
        for stage in STAGES:
            x = getattr(self, stage)(x)
            maps.append(x)
        return maps


def half_resnet18(norm: Norm) -> nn.Module:
    """ResNet-18 with 32, 64, 128, 256 channels; torchvision has no such setting for its basic block."""
    net = nn.Module()
    net.conv1 = nn.Conv2d(3, 32, 7, stride=2, padding=3, bias=False)
    net.bn1 = norm(32)
    net.relu = nn.ReLU(inplace=True)
    net.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
    before = 32
    for stage, width in zip(STAGES, (32, 64, 128, 256)):
        stride = 1 if stage == 'layer1' else 2
        shortcut = nn.Sequential(nn.Conv2d(before, width, 1, stride=stride, bias=False), norm(width)) if stride == 2 else None
        first = BasicBlock(before, width, stride, shortcut, norm_layer=norm)
        setattr(net, stage, nn.Sequential(first, BasicBlock(width, width, norm_layer=norm)))
        before = width
    return net
