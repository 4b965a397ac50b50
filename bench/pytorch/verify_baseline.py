"""Compares the baseline with stored reference cases: `python verify_baseline.py FOLDER [case ...]`.

FOLDER contains case folders (case.json, manifest.json, data.bin, grads.json). Exit status 1 if a tolerance is exceeded: boxes 1e-4, other outputs 1e-3 of their largest magnitude, losses 1e-5 relative, matches exactly,
gradient norms 1e-3 relative.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch

from mdetr_losses import Targets, losses, match, total
from mdetr_network import SIZES, Mdetr
from synthetic_weights import fill

DTYPES = {'f32': '<f4', 'f64': '<f8', 'i32': '<i4', 'i64': '<i8', 'u8': 'u1'}


def read_tensors(folder: Path) -> dict[str, torch.Tensor]:
    data = (folder / 'data.bin').read_bytes()
    tensors = {}
    for entry in json.loads((folder / 'manifest.json').read_text())['tensors']:
        part = data[entry['byteOffset'] : entry['byteOffset'] + entry['byteLength']]
        values = np.frombuffer(part, DTYPES[entry['dtype']]).reshape(entry['shape'])
        tensors[entry['name']] = torch.from_numpy(values.copy())
    return tensors


def token_of(offsets: list[list[int]], char: int) -> int:
    return next(i for i, (begin, end) in enumerate(offsets) if begin <= char < end)


def read_targets(case: dict, tensors: dict[str, torch.Tensor]) -> Targets:
    rows = []
    for target, offsets in zip(case['targets'], case['offsets']):
        for spans in target['tokens_positive']:
            row = torch.zeros(len(offsets), dtype=torch.bool)
            for begin, end in spans:
                row[token_of(offsets, begin) : token_of(offsets, end - 1) + 1] = True
            rows.append(row)
    boxes = torch.tensor([box for target in case['targets'] for box in target['boxes']])
    return Targets([len(t['boxes']) for t in case['targets']], boxes, tensors['positive_map'], torch.stack(rows))


def verify(folder: Path) -> bool:
    case = json.loads((folder / 'case.json').read_text())
    tensors = read_tensors(folder)
    model = Mdetr(SIZES[case['case']])
    fill(model)
    model.eval()
    outputs = model(
        tensors['samples.tensors'], tensors['samples.mask'].bool(), tensors['input_ids'].long(), tensors['attention_mask'].long()
    )
    targets = read_targets(case, tensors)
    matches = [match(logits, boxes, targets) for logits, boxes in zip(outputs['pred_logits'], outputs['pred_boxes'])]
    values = losses(outputs, targets, matches)
    worst: dict[str, float] = {'boxes': 0, 'outputs': 0, 'losses': 0, 'gradNorms': 0}

    layers = len(matches)
    for name in ('pred_logits', 'pred_boxes', 'proj_queries'):
        for i in range(layers):
            expected = tensors[name if i == layers - 1 else f'aux{i}.{name}']
            difference = float((outputs[name][i].detach() - expected).abs().max())
            kind = 'boxes' if name == 'pred_boxes' else 'outputs'
            worst[kind] = max(worst[kind], difference if kind == 'boxes' else difference / float(expected.abs().max()))
    difference = (outputs['proj_tokens'].detach() - tensors['proj_tokens']).abs().max()
    worst['outputs'] = max(worst['outputs'], float(difference / tensors['proj_tokens'].abs().max()))

    order = [layers - 1, *range(layers - 1)]
    same = [[[rows.tolist(), columns.tolist()] for rows, columns in matches[i]] for i in order] == case['matches']
    assert values.keys() == case['losses'].keys()
    for name, expected in [*case['losses'].items(), ('total', case['total'])]:
        got = float((total(values) if name == 'total' else values[name]).detach())
        worst['losses'] = max(worst['losses'], abs(got - expected) / max(abs(expected), 1e-6))

    if (folder / 'grads.json').exists():
        grads = json.loads((folder / 'grads.json').read_text())
        total(values).backward()
        parameters = dict(model.named_parameters())
        assert {n for n in parameters} == {n for n, g in grads.items() if 'shape' in g}, set(parameters) ^ set(grads)
        for name, parameter in parameters.items():
            expected = grads[name].get('norm')
            assert (parameter.grad is None) == (expected is None), name
            if expected is not None:
                got = float(parameter.grad.double().norm())
                worst['gradNorms'] = max(worst['gradNorms'], abs(got - expected) / (abs(expected) + 1e-3))
    bounds = {'boxes': 1e-4, 'outputs': 1e-3, 'losses': 1e-5, 'gradNorms': 1e-3}
    good = same and all(worst[key] <= bounds[key] for key in bounds)
    print(json.dumps({'case': case['case'], 'matchesEqual': same, **worst, 'ok': good}))
    return good


def main() -> None:
    root = Path(sys.argv[1])
    results = [verify(root / name) for name in (sys.argv[2:] or ['tiny', 'r101'])]
    sys.exit(0 if all(results) else 1)


if __name__ == '__main__':
    main()
