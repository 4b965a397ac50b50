"""The small grounding network for procedural scenes, with its two training-only auxiliary heads.

Convolutions to stride 16 with group norm, a two-layer text encoder, pre-norm encoder and decoder without dropout, MDETR's
heads. The image part runs once per image, the rest once per text.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from mdetr_network import Mlp, SinePosition


@dataclass(frozen=True)
class ScenesSize:
    width_px: int = 128
    height_px: int = 96
    images: int = 8  # per step
    texts: int = 4  # per image
    boxes: int = 3  # per text, mean
    tokens: int = 24
    vocabulary: int = 66
    channels: tuple[int, ...] = (24, 48, 96, 160)
    hidden: int = 128
    heads: int = 4
    feed_forward: int = 256
    text_layers: int = 2
    encoder_layers: int = 3
    decoder_layers: int = 3
    queries: int = 14
    auxiliary_heads: bool = True
    learning_rate: float = 1e-3


CELLS = 4  # 2 x 2 sub-cells per position
KINDS = {'objectness': 1, 'shape': 3, 'color': 8, 'size': 2, 'material': 2, 'box': 4}


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, stride 2 in the first, 1x1 shortcut; GroupNorm(8)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.GroupNorm(8, after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.norm2 = nn.GroupNorm(8, after)
        self.shortcut = nn.Conv2d(before, after, 1, stride=2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(hidden)) + self.shortcut(x))


class FeedForward(nn.Sequential):
    def __init__(self, hidden: int, inner: int) -> None:
        super().__init__(nn.Linear(hidden, inner), nn.ReLU(), nn.Linear(inner, hidden))


class PreNormEncoderLayer(nn.Module):
    def __init__(self, size: ScenesSize) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(size.hidden, size.heads, batch_first=True)
        self.feed_forward = FeedForward(size.hidden, size.feed_forward)
        self.norm1 = nn.LayerNorm(size.hidden)
        self.norm2 = nn.LayerNorm(size.hidden)

    def forward(self, x: torch.Tensor, position: torch.Tensor | None, padding: torch.Tensor) -> torch.Tensor:
        normed = self.norm1(x)
        qk = normed if position is None else normed + position
        x = x + self.attention(qk, qk, normed, key_padding_mask=padding, need_weights=False)[0]
        return x + self.feed_forward(self.norm2(x))


class PreNormDecoderLayer(nn.Module):
    def __init__(self, size: ScenesSize) -> None:
        super().__init__()
        self.self_attention = nn.MultiheadAttention(size.hidden, size.heads, batch_first=True)
        self.cross_attention = nn.MultiheadAttention(size.hidden, size.heads, batch_first=True)
        self.feed_forward = FeedForward(size.hidden, size.feed_forward)
        self.norms = nn.ModuleList(nn.LayerNorm(size.hidden) for _ in range(3))

    def forward(
        self, x: torch.Tensor, query: torch.Tensor, memory: torch.Tensor, keys: torch.Tensor, padding: torch.Tensor
    ) -> torch.Tensor:
        normed = self.norms[0](x)
        qk = normed + query
        x = x + self.self_attention(qk, qk, normed, need_weights=False)[0]
        q = self.norms[1](x) + query
        x = x + self.cross_attention(q, keys, memory, key_padding_mask=padding, need_weights=False)[0]
        return x + self.feed_forward(self.norms[2](x))


class ScenesNetwork(nn.Module):
    def __init__(self, size: ScenesSize) -> None:
        super().__init__()
        d = size.hidden
        self.size = size
        self.stem = nn.Conv2d(3, size.channels[0], 3, stride=2, padding=1, bias=False)
        self.stem_norm = nn.GroupNorm(8, size.channels[0])
        self.blocks = nn.Sequential(*(ResidualBlock(a, b) for a, b in zip(size.channels, size.channels[1:])))
        self.input_proj = nn.Conv2d(size.channels[-1], d, 1)
        self.position = SinePosition(d)
        period = 20 ** (2 * (torch.arange(d // 2) // 2) / (d // 2))
        self.position.period.copy_(period)
        self.words = nn.Embedding(size.vocabulary, d)
        self.word_positions = nn.Embedding(size.tokens, d)
        self.text_layers = nn.ModuleList(PreNormEncoderLayer(size) for _ in range(size.text_layers))
        self.resizer = nn.Sequential(nn.Linear(d, d), nn.LayerNorm(d))
        self.encoder = nn.ModuleList(PreNormEncoderLayer(size) for _ in range(size.encoder_layers))
        self.encoder_norm = nn.LayerNorm(d)
        self.decoder = nn.ModuleList(PreNormDecoderLayer(size) for _ in range(size.decoder_layers))
        self.decoder_norm = nn.LayerNorm(d)
        self.query_embed = nn.Embedding(size.queries, d)
        self.class_embed = nn.Linear(d, 256)
        self.bbox_embed = Mlp([d, d, d, 4])
        self.isfinal_embed = nn.Linear(d, 1)
        self.proj_image = nn.Linear(d, 64)
        self.proj_text = nn.Linear(d, 64)
        self.auxiliary_encoder = nn.Linear(d, CELLS * (256 + 4)) if size.auxiliary_heads else None
        self.auxiliary_backbone = nn.Conv2d(size.channels[-1], CELLS * sum(KINDS.values()), 1) if size.auxiliary_heads else None

    def encode_image(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """images (I, 3, H, W) to feature maps and their projections (I, h * w, D), which further captions reuse."""
        features = self.blocks(F.relu(self.stem_norm(self.stem(images))))
        return features, self.input_proj(features).flatten(2).transpose(1, 2)

    def forward(self, images: torch.Tensor, ids: torch.Tensor) -> dict[str, torch.Tensor]:
        """images (I, 3, H, W); ids (I * texts, T), the captions of an image consecutively, 1 = padding."""
        return self.ground(self.encode_image(images), ids, self.size.texts)

    def ground(self, encoded: tuple[torch.Tensor, torch.Tensor], ids: torch.Tensor, texts: int) -> dict[str, torch.Tensor]:
        """Heads for `texts` captions of each encoded image."""
        features, projected = encoded
        h, w = features.shape[-2:]
        nowhere = torch.zeros(features.shape[0], h, w, dtype=torch.bool)
        image = projected.repeat_interleave(texts, 0)
        image_position = self.position(nowhere).repeat_interleave(texts, 0)

        text_padding = ids == 1
        text = self.words(ids) + self.word_positions.weight[: ids.shape[1]]
        for layer in self.text_layers:
            text = layer(text, None, text_padding)
        text = self.resizer(text)

        memory = torch.cat((image, text), 1)
        position = torch.cat((image_position, torch.zeros_like(text)), 1)
        padding = torch.cat((nowhere.flatten(1).repeat_interleave(texts, 0), text_padding), 1)
        for layer in self.encoder:
            memory = layer(memory, position, padding)
        memory = self.encoder_norm(memory)
        keys = memory + position
        query = self.query_embed.weight.expand(ids.shape[0], -1, -1)
        x = torch.zeros_like(query)
        layers = []
        for layer in self.decoder:
            x = layer(x, query, memory, keys, padding)
            layers.append(x)
        hidden = self.decoder_norm(torch.stack(layers))
        outputs = {
            'pred_logits': self.class_embed(hidden),
            'pred_boxes': self.bbox_embed(hidden).sigmoid(),
            'pred_isfinal': self.isfinal_embed(hidden),
            'proj_queries': F.normalize(self.proj_image(hidden), dim=-1),
            'proj_tokens': F.normalize(self.proj_text(memory[:, h * w :]), dim=-1),
        }
        if self.auxiliary_encoder is not None and self.auxiliary_backbone is not None:
            cells = self.auxiliary_encoder(memory[:, : h * w])
            outputs['auxiliary_encoder'] = cells.view(ids.shape[0], h * w * CELLS, 256 + 4)
            cells = self.auxiliary_backbone(features).flatten(2).transpose(1, 2)
            outputs['auxiliary_backbone'] = cells.reshape(features.shape[0], h * w * CELLS, sum(KINDS.values()))
        return outputs


@dataclass
class CellTargets:
    """Targets of the auxiliary heads per sub-cell. Boxes are xyxy, relative to the image size."""

    mentioned: torch.Tensor  # (B, cells), bool
    tokens: torch.Tensor  # (B, cells, 256)
    mentioned_boxes: torch.Tensor  # (B, cells, 4)
    object: torch.Tensor  # (I, cells), bool
    kinds: dict[str, torch.Tensor]  # (I, cells) class ids
    object_boxes: torch.Tensor  # (I, cells, 4)


def elementwise_iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    inner = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    areas = [(x[..., 2:] - x[..., :2]).clamp(min=0).prod(-1) for x in (a, b)]
    return inner / (areas[0] + areas[1] - inner + 1e-6)


def auxiliary_losses(outputs: dict[str, torch.Tensor], cells: CellTargets) -> torch.Tensor:
    """Auxiliary losses of the encoder (weight 1) and the backbone (weight 0.5)."""
    predicted = outputs['auxiliary_encoder']
    entropy = -(predicted[..., :256].log_softmax(-1) * cells.tokens).sum(-1)
    weight = torch.where(cells.mentioned, 1.0, 0.2)
    iou = elementwise_iou(predicted[..., 256:].sigmoid(), cells.mentioned_boxes)
    encoder = (entropy * weight).mean() + 2 * ((1 - iou) * cells.mentioned).sum() / cells.mentioned.sum().clamp(min=1)

    parts = dict(zip(KINDS, outputs['auxiliary_backbone'].split(list(KINDS.values()), -1)))
    backbone = F.binary_cross_entropy_with_logits(parts['objectness'][..., 0], cells.object.float())
    for kind, ids in cells.kinds.items():
        backbone = backbone + F.cross_entropy(parts[kind][cells.object], ids[cells.object])
    iou = elementwise_iou(parts['box'].sigmoid(), cells.object_boxes)
    backbone = backbone + 2 * ((1 - iou) * cells.object).sum() / cells.object.sum().clamp(min=1)
    return encoder + 0.5 * backbone
