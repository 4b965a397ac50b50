"""Writes test/fixtures/efficientnet/b0.json .. b7.json from timm's EfficientNets in the form that MDETR uses.

    python efficientnet_fixtures.py [output folder]

Form: `features_only`, the maps at strides 4, 8, 16 and 32, every batch norm frozen with eps 1e-5, TensorFlow "same"
padding. Weights and images are derived from their full names (`backbone.0.body.` + timm's key); nothing is downloaded.

One rule is added to `synthetic_weights.py`: the `weight` of every batch norm is multiplied by 2^k, with k from
`gainLog2` in the fixture. Without it the maps depend on biases alone (or, with larger constant weights, reach 1e24):
squeeze-and-excitation multiplies, so no constant suits all depths. k is chosen here so that each batch norm's output has
a standard deviation near 1 (near 0.5 where it is added to a shortcut); a power of two keeps the product exact.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import timm
import torch

from feature_samples import describe
from frozen_batch_norm import FrozenBatchNorm, freeze_batch_norms
from synthetic_weights import fill, synthetic_image

PREFIX = 'backbone.0.body.'
IMAGES = [('image.odd', (1, 3, 95, 133)), ('image.even', (2, 3, 128, 160))]
IN_DETAIL = (0, 3, 5)


def choose_gains(net: torch.nn.Module, image: torch.Tensor) -> dict[str, int]:
    """Multiplies the weight of every batch norm by 2^k, in forward order. Returns k by key."""
    gains: dict[str, int] = {}
    shortcut = {f'{name}.' for name, block in net.named_modules() if getattr(block, 'has_skip', False)}

    def hook(key: str, target: float):
        def before(norm: FrozenBatchNorm, inputs: tuple[torch.Tensor]) -> None:
            scale = norm.weight * (norm.running_var + norm.EPS).rsqrt()
            k = round(math.log2(target / float((inputs[0] * scale[:, None, None]).std())))
            norm.weight.mul_(2.0**k)
            gains[key] = k

        return before

    handles = []
    for name, norm in net.named_modules():
        if isinstance(norm, FrozenBatchNorm):
            block = name.rpartition('.')[0] + '.'
            last = 'bn3' if hasattr(net.get_submodule(block[:-1]), 'bn3') else 'bn2'
            added = block in shortcut and name.endswith(last)
            handles.append(norm.register_forward_pre_hook(hook(f'{PREFIX}{name}.weight', 0.5 if added else 1.0)))
    with torch.no_grad():
        net(image)
    for handle in handles:
        handle.remove()
    return gains


def build(variant: int) -> tuple[torch.nn.Module, dict[str, int]]:
    name = f'tf_efficientnet_b{variant}.ns_jft_in1k'
    net = timm.create_model(name, pretrained=False, features_only=True, out_indices=(1, 2, 3, 4))
    freeze_batch_norms(net)
    fill(net, PREFIX)
    net.eval()
    return net, choose_gains(net, synthetic_image(*IMAGES[1]))


def fixture(variant: int) -> dict:
    net, gains = build(variant)
    parameters = {name for name, _ in net.named_parameters()}
    keys = [[PREFIX + key, list(tensor.shape)] for key, tensor in net.state_dict().items()]
    cases = []
    with torch.no_grad():
        images = [(name, synthetic_image(name, shape)) for name, shape in IMAGES]
        single = [net(image) for _, image in images]
        net.double()
        exact = [net(image.double()) for _, image in images]
    for (name, image), maps64, maps32 in zip(images, exact, single):
        kept = range(4) if variant in IN_DETAIL else (3,)
        maps = [
            describe(f'layer{i}', maps64[i], maps32[i], full=i == 3 and variant in IN_DETAIL and name == 'image.odd')
            for i in kept
        ]
        cases.append({'image': name, 'shape': list(image.shape), 'maps': maps})
    return {
        'variant': f'timm_tf_efficientnet_b{variant}_ns',
        'channels': net.feature_info.channels(),
        'parameters': len(parameters),
        'keys': keys,
        'gainLog2': gains,
        'cases': cases,
    }


def main() -> None:
    default = Path(__file__).resolve().parents[2] / 'test/fixtures/efficientnet'
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    out.mkdir(parents=True, exist_ok=True)
    for variant in range(8):
        data = fixture(variant)
        (out / f'b{variant}.json').write_text(json.dumps(data, separators=(',', ':')) + '\n')
        last = data['cases'][0]['maps'][-1]
        print(data['variant'], len(data['keys']), 'keys', {k: last[k] for k in ('shape', 'mean', 'std', 'maxAbs', 'maxAbsDiffF32')})


if __name__ == '__main__':
    torch.manual_seed(0)
    main()
