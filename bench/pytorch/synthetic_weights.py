"""Deterministic weights and images: every value is a function of the tensor's name, shape and flat index.

The rule is the one of the reference data (its README, section 2): FNV-1a over the name, a multiplicative step per index,
a 32-bit finalizer, then a scale that depends on the kind of tensor. The same rule is implemented in TypeScript, so
fixtures need no stored weights.
"""

from __future__ import annotations

import math

import numpy as np
import torch

MASK32 = np.uint64(0xFFFFFFFF)


def fnv1a32(name: str) -> int:
    value = 2166136261
    for byte in name.encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return value


def uniform(name: str, count: int, start: int = 0) -> np.ndarray:
    """u in [0, 1), float64, for flat indices start .. start + count - 1."""
    index = np.arange(start, start + count, dtype=np.uint64)
    x = (np.uint64(fnv1a32(name)) + index * np.uint64(0x9E3779B9)) & MASK32
    x ^= x >> np.uint64(16)
    x = (x * np.uint64(0x85EBCA6B)) & MASK32
    x ^= x >> np.uint64(13)
    x = (x * np.uint64(0xC2B2AE35)) & MASK32
    x ^= x >> np.uint64(16)
    return x.astype(np.float64) / 4294967296.0


EMBEDDING_TABLES = ('word_embeddings', 'position_embeddings', 'token_type_embeddings')
LEARNED_TABLES = ('query_embed.', 'qa_embed.', 'CLS.', 'row_embed.', 'col_embed.')


def rule(name: str, shape: tuple[int, ...]) -> tuple[bool, float, float]:
    """(signed, a, b): the value is b + a * (2u - 1 if signed else u). The first condition that holds decides."""
    if name.endswith('running_mean'):
        return True, 0.1, 0.0
    if name.endswith('running_var'):
        return False, 0.5, 1.0
    if len(shape) == 4:
        return True, math.sqrt(6 / (shape[1] * shape[2] * shape[3])), 0.0
    if len(shape) == 2:
        if any(table in name for table in EMBEDDING_TABLES):
            return True, 0.05, 0.0
        if any(table in name for table in LEARNED_TABLES):
            return True, 1.0, 0.0
        return True, math.sqrt(3 / shape[1]), 0.0
    if name.endswith('bias'):
        return True, 0.1, 0.0
    if name.endswith('bn3.weight'):
        return True, 0.04, 0.4
    if name.endswith('bn2.weight'):
        return True, 0.05, 0.5
    return True, 0.1, 1.0


def synthetic_tensor(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    signed, a, b = rule(name, tuple(shape))
    out = np.empty(math.prod(shape), dtype=np.float32)
    step = 1 << 17  # keeps intermediates in the cache and small in the measured peak memory
    for start in range(0, out.size, step):
        u = uniform(name, min(step, out.size - start), start)
        out[start : start + u.size] = b + a * (2 * u - 1 if signed else u)
    return torch.from_numpy(out.reshape(shape))


def synthetic_image(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Normalized image: values in [-1, 1). A batch is one tensor with one flat index."""
    return torch.from_numpy((2 * uniform(name, math.prod(shape)) - 1).astype(np.float32).reshape(shape))


def fill(module: torch.nn.Module, prefix: str = '') -> None:
    """Overwrites every floating-point tensor of the state dict. Its name is `prefix` + key."""
    with torch.no_grad():
        for key, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(synthetic_tensor(prefix + key, tuple(tensor.shape)))
