"""Writes test/fixtures/resnet-gn/resnet50-gn.json and resnet101-gn.json from torchvision with 32-group norms.

    python resnet_group_norm_fixtures.py [output folder]

Every norm is `GroupNorm(32, channels)` with eps 1e-5 and has the position and name of the batch norm (`bn1.weight`,
`bn1.bias`, `downsample.1.weight` ...). Weights and images are derived from their names.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from torch import nn

from feature_samples import describe
from resnet_body import STAGES, ResNetBody
from synthetic_weights import fill, synthetic_image

PREFIX = 'backbone.0.body.'
IMAGES = [('image.odd', (1, 3, 95, 133)), ('image.even', (2, 3, 128, 160))]


def fixture(name: str) -> dict:
    net = ResNetBody(name, lambda channels: nn.GroupNorm(32, channels)).eval()
    fill(net, PREFIX)
    keys = [[PREFIX + key, list(tensor.shape)] for key, tensor in net.state_dict().items()]
    with torch.no_grad():
        images = [(key, synthetic_image(key, shape)) for key, shape in IMAGES]
        single = [net(image) for _, image in images]
        net.double()
        exact = [net(image.double()) for _, image in images]
    cases = [
        {
            'image': key,
            'shape': list(image.shape),
            'maps': [describe(STAGES[i], maps64[i], maps32[i], full=False) for i in range(4)],
        }
        for (key, image), maps64, maps32 in zip(images, exact, single)
    ]
    return {'variant': f'{name}-gn', 'groups': 32, 'keys': keys, 'cases': cases}


def main() -> None:
    default = Path(__file__).resolve().parents[2] / 'test/fixtures/resnet-gn'
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    out.mkdir(parents=True, exist_ok=True)
    for name in ('resnet50', 'resnet101'):
        data = fixture(name)
        (out / f"{data['variant']}.json").write_text(json.dumps(data, separators=(',', ':')) + '\n')
        for case in data['cases']:
            for entry in case['maps']:
                print(data['variant'], case['image'], {k: entry[k] for k in ('shape', 'mean', 'std', 'maxAbs', 'maxAbsDiffF32')})


if __name__ == '__main__':
    main()
