"""Summary of a feature map in fixtures: shape, moments, sampled entries, and all values if it is small."""

from __future__ import annotations

import base64

import numpy as np
import torch

from synthetic_weights import uniform

SAMPLES = 64


def describe(name: str, exact: torch.Tensor, single: torch.Tensor, full: bool) -> dict:
    """`exact`: output of the float64 run, stored as float32. `single`: output of the float32 run of the same network."""
    values = exact.numpy().reshape(-1)
    count = values.size
    index = np.unique((uniform('sample.' + name, SAMPLES) * count).astype(np.int64))
    entry = {
        'name': name,
        'shape': list(exact.shape),
        'mean': float(values.mean()),
        'std': float(values.std()),
        'maxAbs': float(np.abs(values).max()),
        'maxAbsDiffF32': float(np.abs(values - single.numpy().reshape(-1).astype(np.float64)).max()),
        'index': index.tolist(),
        'value': [float(v) for v in values[index].astype(np.float32)],
    }
    if full:
        entry['fullBase64F32'] = base64.b64encode(values.astype('<f4').tobytes()).decode()
    return entry
