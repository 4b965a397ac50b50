"""How fixtures describe a feature map: shape, moments, sampled entries, and the whole map when it is small."""

from __future__ import annotations

import base64

import numpy as np
import torch

from synthetic_weights import uniform

SAMPLES = 64


def describe(name: str, exact: torch.Tensor, single: torch.Tensor, full: bool) -> dict:
    """`exact` is the float64 run (values are its float32 rounding), `single` the float32 run of the same network."""
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
