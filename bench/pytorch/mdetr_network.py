"""MDETR's network, built from torchvision's ResNet, Hugging Face's RoBERTa and torch's layers.

An independent implementation, used as the PyTorch baseline of the benchmarks. Parameters have the official names, so that
synthetic weights, which depend on names, make its outputs comparable with stored reference values. Shapes: B batch,
S joint sequence, T text length, Q queries, D hidden size, L decoder layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from transformers import RobertaConfig, RobertaModel

from frozen_batch_norm import FrozenBatchNorm
from resnet_body import ResNetBody


@dataclass(frozen=True)
class TextSize:
    hidden: int = 768
    layers: int = 12
    heads: int = 12
    intermediate: int = 3072


@dataclass(frozen=True)
class Size:
    backbone: str = 'resnet101'
    hidden: int = 256
    heads: int = 8
    encoder_layers: int = 6
    decoder_layers: int = 6
    feed_forward: int = 2048
    queries: int = 100
    text: TextSize = TextSize()


TINY_TEXT = TextSize(96, 3, 4, 192)
SIZES = {
    'r101': Size(),
    'tiny': Size('resnet18', 64, 4, 2, 2, 128, 12, TINY_TEXT),
    'small': Size('resnet18-half', 128, 8, 3, 3, 512, 25, TINY_TEXT),
}
DROPOUT = 0.1


class Backbone(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.body = ResNetBody(name, FrozenBatchNorm)
        for key, parameter in self.body.named_parameters():
            parameter.requires_grad_(key.startswith(('layer2', 'layer3', 'layer4')))

    def forward(self, images: torch.Tensor, padding: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """images (B, 3, H, W), padding (B, H, W) -> last stage (B, C, h, w), its padding (B, h, w)."""
        features = self.body(images)[-1]
        return features, F.interpolate(padding[None].float(), size=features.shape[-2:])[0].bool()


class SinePosition(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        half = hidden // 2
        self.register_buffer('period', 10000 ** (2 * (torch.arange(half) // 2) / half), persistent=False)

    def forward(self, padding: torch.Tensor) -> torch.Tensor:
        """padding (B, h, w) -> (B, h*w, D): encoding of the row, then of the column."""
        real = (~padding).float()
        codes = []
        for axis in (1, 2):
            position = real.cumsum(axis)
            position = position / (position.narrow(axis, position.shape[axis] - 1, 1) + 1e-6) * (2 * math.pi)
            angle = position[..., None] / self.period
            codes.append(torch.stack((angle[..., 0::2].sin(), angle[..., 1::2].cos()), -1).flatten(-2))
        return torch.cat(codes, -1).flatten(1, 2)


def attention(hidden: int, heads: int) -> nn.MultiheadAttention:
    return nn.MultiheadAttention(hidden, heads, dropout=DROPOUT, batch_first=True)


class EncoderLayer(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        d = size.hidden
        self.self_attn = attention(d, size.heads)
        self.linear1 = nn.Linear(d, size.feed_forward)
        self.linear2 = nn.Linear(size.feed_forward, d)
        self.norm1 = nn.LayerNorm(d)
        self.norm2 = nn.LayerNorm(d)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: torch.Tensor, position: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
        qk = x + position
        attended = self.self_attn(qk, qk, x, key_padding_mask=padding, need_weights=False)[0]
        x = self.norm1(x + self.dropout(attended))
        return self.norm2(x + self.dropout(self.linear2(self.dropout(F.relu(self.linear1(x))))))


class DecoderLayer(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        d = size.hidden
        self.self_attn = attention(d, size.heads)
        self.cross_attn_image = attention(d, size.heads)
        self.linear1 = nn.Linear(d, size.feed_forward)
        self.linear2 = nn.Linear(size.feed_forward, d)
        self.norm1 = nn.LayerNorm(d)
        self.norm3 = nn.LayerNorm(d)
        self.norm4 = nn.LayerNorm(d)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(
        self, x: torch.Tensor, query: torch.Tensor, memory: torch.Tensor, keys: torch.Tensor, padding: torch.Tensor
    ) -> torch.Tensor:
        """x, query (B, Q, D); memory (B, S, D), keys = memory + positions."""
        qk = x + query
        x = self.norm1(x + self.dropout(self.self_attn(qk, qk, x, need_weights=False)[0]))
        attended = self.cross_attn_image(x + query, keys, memory, key_padding_mask=padding, need_weights=False)[0]
        x = self.norm3(x + self.dropout(attended))
        return self.norm4(x + self.dropout(self.linear2(self.dropout(F.relu(self.linear1(x))))))


class Encoder(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(size) for _ in range(size.encoder_layers))


class Decoder(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(size) for _ in range(size.decoder_layers))
        self.norm = nn.LayerNorm(size.hidden)


class Resizer(nn.Module):
    def __init__(self, text_hidden: int, hidden: int) -> None:
        super().__init__()
        self.fc = nn.Linear(text_hidden, hidden)
        self.layer_norm = nn.LayerNorm(hidden, eps=1e-12)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dropout(self.layer_norm(self.fc(x)))


class Transformer(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        text = size.text
        self.encoder = Encoder(size)
        self.decoder = Decoder(size)
        self.text_encoder = RobertaModel(
            RobertaConfig(
                vocab_size=50265,
                hidden_size=text.hidden,
                num_hidden_layers=text.layers,
                num_attention_heads=text.heads,
                intermediate_size=text.intermediate,
                max_position_embeddings=514,
                type_vocab_size=1,
                layer_norm_eps=1e-5,
                use_cache=False,
            )
        )
        self.resizer = Resizer(text.hidden, size.hidden)

    def forward(
        self,
        image: torch.Tensor,
        image_position: torch.Tensor,
        image_padding: torch.Tensor,
        query: torch.Tensor,
        ids: torch.Tensor,
        attention_mask: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """image (B, h*w, D), ids (B, T) -> normed decoder layers (L, B, Q, D), encoded text (B, T, D)."""
        words = self.text_encoder(input_ids=ids, attention_mask=attention_mask).last_hidden_state
        text = self.resizer(words)
        memory = torch.cat((image, text), 1)
        position = torch.cat((image_position, torch.zeros_like(text)), 1)
        padding = torch.cat((image_padding, attention_mask != 1), 1)
        for layer in self.encoder.layers:
            memory = layer(memory, position, padding)
        keys = memory + position
        query = query.expand(image.shape[0], -1, -1)
        x = torch.zeros_like(query)
        outputs = []
        for layer in self.decoder.layers:
            x = layer(x, query, memory, keys, padding)
            outputs.append(x)
        return self.decoder.norm(torch.stack(outputs)), memory[:, image.shape[1] :]


class Mlp(nn.Module):
    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


class Mdetr(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        d = size.hidden
        self.transformer = Transformer(size)
        self.class_embed = nn.Linear(d, 256)
        self.bbox_embed = Mlp([d, d, d, 4])
        self.query_embed = nn.Embedding(size.queries, d)
        self.backbone = nn.Sequential(Backbone(size.backbone), SinePosition(d))
        self.input_proj = nn.Conv2d(self.backbone[0].body.channels, d, 1)
        self.contrastive_align_projection_image = nn.Linear(d, 64)
        self.contrastive_align_projection_text = nn.Linear(d, 64)

    def encode_image(self, images: torch.Tensor, padding: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Outputs that further captions of the same image reuse: projected features, positions, padding."""
        features, small = self.backbone[0](images, padding)
        return self.input_proj(features).flatten(2).transpose(1, 2), self.backbone[1](small), small.flatten(1)

    def ground(self, encoded: tuple[torch.Tensor, ...], ids: torch.Tensor, mask: torch.Tensor, aux: bool) -> dict[str, torch.Tensor]:
        """Heads on all decoder layers (`aux`) or on the last one; the layer axis is kept either way."""
        layers, text = self.transformer(*encoded, self.query_embed.weight, ids, mask)
        if not aux:
            layers = layers[-1:]
        return {
            'pred_logits': self.class_embed(layers),
            'pred_boxes': self.bbox_embed(layers).sigmoid(),
            'proj_queries': F.normalize(self.contrastive_align_projection_image(layers), dim=-1),
            'proj_tokens': F.normalize(self.contrastive_align_projection_text(text), dim=-1),
        }

    def forward(self, images: torch.Tensor, padding: torch.Tensor, ids: torch.Tensor, mask: torch.Tensor, aux: bool = True):
        return self.ground(self.encode_image(images, padding), ids, mask, aux)
