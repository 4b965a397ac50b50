"""Matching and detection losses for given targets. Equal to the official ones if every span covers a token.

The official fallbacks for spans without a token are omitted: the spans of the benchmarks always cover one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment

NO_OBJECT_WEIGHT = 0.1
TEMPERATURE = 0.07
COST = {'class': 1, 'l1': 5, 'giou': 2}
WEIGHTS = {'loss_ce': 1, 'loss_bbox': 5, 'loss_giou': 2, 'loss_contrastive_align': 1}


@dataclass
class Targets:
    """Boxes of a batch, sample by sample. boxes: cxcywh; spans: true for tokens of the box's phrase."""

    counts: list[int]  # boxes per sample
    boxes: torch.Tensor  # (N, 4)
    positive_map: torch.Tensor  # (N, 256)
    spans: torch.Tensor  # (N, T), bool


Match = list[tuple[torch.Tensor, torch.Tensor]]


def to_corners(boxes: torch.Tensor) -> torch.Tensor:
    center, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat((center - half, center + half), -1)


def pairwise_giou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Generalized IoU of xyxy boxes (N, 4) and (M, 4) -> (N, M)."""
    area_a, area_b = (x[:, 2:] - x[:, :2] for x in (a, b))
    inner = (torch.minimum(a[:, None, 2:], b[:, 2:]) - torch.maximum(a[:, None, :2], b[:, :2])).clamp(min=0).prod(-1)
    union = area_a.prod(1)[:, None] + area_b.prod(1) - inner
    enclosing = (torch.maximum(a[:, None, 2:], b[:, 2:]) - torch.minimum(a[:, None, :2], b[:, :2])).prod(-1)
    return inner / union - (enclosing - union) / enclosing


@torch.no_grad()
def match(logits: torch.Tensor, boxes: torch.Tensor, targets: Targets) -> Match:
    """One decoder layer: logits (B, Q, 256), boxes (B, Q, 4) -> per sample (query indices, box indices)."""
    batch, queries = logits.shape[:2]
    predicted = boxes.flatten(0, 1)
    cost = (
        COST['l1'] * torch.cdist(predicted, targets.boxes, p=1)
        - COST['class'] * logits.flatten(0, 1).softmax(-1) @ targets.positive_map.T
        - COST['giou'] * pairwise_giou(to_corners(predicted), to_corners(targets.boxes))
    ).view(batch, queries, -1)
    pairs = (linear_sum_assignment(part[i]) for i, part in enumerate(cost.split(targets.counts, -1)))
    return [(torch.as_tensor(rows), torch.as_tensor(columns)) for rows, columns in pairs]


def layer_losses(
    logits: torch.Tensor, boxes: torch.Tensor, proj_queries: torch.Tensor, proj_tokens: torch.Tensor, targets: Targets, matched: Match
) -> dict[str, torch.Tensor]:
    num_boxes = max(sum(targets.counts), 1)
    starts = [sum(targets.counts[:i]) for i in range(len(targets.counts))]
    sample = torch.cat([torch.full_like(rows, i) for i, (rows, _) in enumerate(matched)])
    query = torch.cat([rows for rows, _ in matched])
    target = torch.cat([columns + start for (_, columns), start in zip(matched, starts)])

    wanted = torch.zeros_like(logits)
    wanted[..., -1] = 1
    wanted[sample, query] = targets.positive_map[target]
    weight = torch.full(logits.shape[:2], NO_OBJECT_WEIGHT)
    weight[sample, query] = 1
    cross_entropy = -(logits.log_softmax(-1) * wanted).sum(-1)

    predicted, true = boxes[sample, query], targets.boxes[target]
    giou = torch.diag(pairwise_giou(to_corners(predicted), to_corners(true)))

    similarity = proj_queries @ proj_tokens.transpose(1, 2) / TEMPERATURE  # (B, Q, T)
    positive = torch.zeros_like(similarity, dtype=torch.bool)
    positive[sample, query] = targets.spans[target]
    align = sum(alignment(similarity, positive, axis) for axis in (2, 1)) / 2

    objects = (logits.argmax(-1) != logits.shape[-1] - 1).sum(1).float()
    return {
        'loss_ce': (cross_entropy * weight).sum() / num_boxes,
        'loss_bbox': F.l1_loss(predicted, true, reduction='sum') / num_boxes,
        'loss_giou': (1 - giou).sum() / num_boxes,
        'loss_contrastive_align': align / num_boxes,
        'cardinality_error': (objects - torch.tensor(targets.counts)).abs().mean().detach(),
    }


def alignment(similarity: torch.Tensor, positive: torch.Tensor, axis: int) -> torch.Tensor:
    """Contrastive loss of each query (axis 2) or token (axis 1) with positives: log-sum-exp minus mean of the positives."""
    count = positive.sum(axis)
    mean = similarity.masked_fill(~positive, 0).sum(axis) / (count + 1e-6)
    return (similarity.logsumexp(axis) - mean).masked_fill(count == 0, 0).sum()


def losses(outputs: dict[str, torch.Tensor], targets: Targets, matches: list[Match]) -> dict[str, torch.Tensor]:
    """Losses of all decoder layers by official name: without suffix for the last layer, with `_0` ... for the others."""
    last = len(matches) - 1
    result = {}
    for i in [last, *range(last)]:
        values = layer_losses(
            outputs['pred_logits'][i], outputs['pred_boxes'][i], outputs['proj_queries'][i], outputs['proj_tokens'], targets, matches[i]
        )
        result |= {name if i == last else f'{name}_{i}': value for name, value in values.items()}
    return result


def total(values: dict[str, torch.Tensor]) -> torch.Tensor:
    base = {name: name.rsplit('_', 1)[0] if name[-1].isdigit() else name for name in values}
    return sum(WEIGHTS[base[name]] * value for name, value in values.items() if base[name] in WEIGHTS)
