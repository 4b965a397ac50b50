"""Writes test/fixtures/tiny-checkpoint: outputs of the network with the weights of a stored checkpoint.

    python checkpoint_fixtures.py REFERENCE OUT

REFERENCE contains `checkpoints/tiny.pth` and `cases/tiny`, whose batch is the input. The checkpoint is the case after one
training step, so its outputs are not part of the case. Written for both sets of weights, last decoder layer.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from mdetr_network import SIZES, Mdetr
from verify_baseline import read_tensors

PER_TEXT = ('proj_tokens',)


@torch.no_grad()
def main(reference: Path, out: Path) -> None:
    inputs = read_tensors(reference / 'cases' / 'tiny')
    # The file contains argparse.Namespace, which requires weights_only=False. It comes from the reference data.
    checkpoint = torch.load(reference / 'checkpoints' / 'tiny.pth', weights_only=False, map_location='cpu')
    network = Mdetr(SIZES['tiny']).eval()
    entries, data = [], b''
    for which, key in (('model', 'model'), ('ema', 'model_ema')):
        problems = network.load_state_dict(checkpoint[key], strict=False)
        assert not problems.missing_keys, problems
        outputs = network(
            inputs['samples.tensors'],
            inputs['samples.mask'].bool(),
            inputs['input_ids'].long(),
            inputs['attention_mask'].long(),
        )
        for name, value in outputs.items():
            tensor = value if name in PER_TEXT else value[-1]
            values = tensor.contiguous().numpy().astype('<f4').tobytes()
            entries.append(
                {
                    'name': f'{which}.{name}',
                    'dtype': 'f32',
                    'shape': list(tensor.shape),
                    'file': 'data.bin',
                    'byteOffset': len(data),
                    'byteLength': len(values),
                }
            )
            data += values
    out.mkdir(parents=True, exist_ok=True)
    (out / 'data.bin').write_bytes(data)
    (out / 'manifest.json').write_text(json.dumps({'torch': torch.__version__, 'tensors': entries}, indent=1) + '\n')


if __name__ == '__main__':
    main(Path(sys.argv[1]), Path(sys.argv[2]))
