"""PyTorch baseline of the benchmarks. Prints one line of JSON.

    python mdetr_baseline.py infer --height 800 --width 1066 --tokens 15 --batch 1 --threads 2 --repeat 5 --second-text
    python mdetr_baseline.py train --size r101 --image 512 --batch 2 --tokens 15 --threads 2 --repeat 5
    python mdetr_baseline.py train-scenes --threads 2 --repeat 20

Eager mode, float32, CPU. Inputs are synthetic tensors: no image decoding, no data loading. Weights are derived from tensor names.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from dataclasses import fields, replace

import torch
import torch.nn.functional as F
from torch import nn

from frozen_batch_norm import fold_batch_norms
from mdetr_losses import Targets, losses, match, to_corners, total
from mdetr_network import SIZES, Mdetr
from measure import Phases, current_rss_bytes, peak_rss_bytes, summary, time_runs, time_with_cpu
from scenes_network import KINDS, CellTargets, ScenesNetwork, ScenesSize, auxiliary_losses
from synthetic_weights import fill, synthetic_image

OPTIMIZERS = {'default': {}, 'foreach': {'foreach': True}, 'fused': {'fused': True}}


def make_ids(batch: int, tokens: int, vocabulary: int) -> torch.Tensor:
    """Captions of equal length: <s>, words, </s>."""
    ids = torch.randint(4, vocabulary, (batch, tokens))
    ids[:, 0], ids[:, -1] = 0, 2
    return ids


def make_targets(counts: list[int], tokens: int) -> Targets:
    """Random boxes well inside the image; the phrase of each box is two neighboring tokens."""
    count = sum(counts)
    boxes = torch.cat((0.3 + 0.4 * torch.rand(count, 2), 0.05 + 0.4 * torch.rand(count, 2)), 1)
    start = torch.randint(1, tokens - 2, (count,))
    positive_map = torch.zeros(count, 256)
    for step in (0, 1):
        positive_map[torch.arange(count), start + step] = 1
    return Targets(counts, boxes, positive_map, positive_map[:, :tokens].bool())


def describe(args: argparse.Namespace, model: nn.Module) -> dict:
    return {
        'torch': torch.__version__,
        **{key: value for key, value in vars(args).items() if key not in ('run', 'set')},
        'parameters': sum(p.numel() for p in model.parameters()),
        'trainable': sum(p.numel() for p in model.parameters() if p.requires_grad),
    }


def infer(args: argparse.Namespace) -> dict:
    model = Mdetr(SIZES[args.size])
    fill(model)
    model.eval()
    if args.fold:
        fold_batch_norms(model.backbone)
    images = synthetic_image('image', (args.batch, 3, args.height, args.width))
    padding = torch.zeros(args.batch, args.height, args.width, dtype=torch.bool)
    ids = make_ids(args.batch, args.tokens, 50265)
    mask = torch.ones_like(ids)
    result = describe(args, model)
    with torch.inference_mode():
        result |= time_with_cpu(lambda: model(images, padding, ids, mask, aux=False), args.repeat)
        if args.second_text:
            encoded = model.encode_image(images, padding)
            result['secondText'] = time_with_cpu(lambda: model.ground(encoded, ids, mask, aux=False), args.repeat)
    return {**result, 'peakRssBytes': peak_rss_bytes()}


def text(args: argparse.Namespace) -> dict:
    """Times captions of an image that is encoded already. Reads the number of captions of each measurement from stdin."""
    if args.size == 'embedded':
        size = ScenesSize(width_px=args.width, height_px=args.height, tokens=args.tokens, vocabulary=115, auxiliary_heads=False)
        scenes = ScenesNetwork(size).eval()
        with torch.inference_mode():
            features = scenes.encode_image(torch.randn(1, 3, args.height, args.width))
        ground = lambda ids: scenes.ground(features, ids, len(ids))  # noqa: E731
        vocabulary = size.vocabulary
    else:
        model = Mdetr(SIZES[args.size])
        fill(model)
        model.eval()
        padding = torch.zeros(1, args.height, args.width, dtype=torch.bool)
        with torch.inference_mode():
            image = model.encode_image(synthetic_image('image', (1, 3, args.height, args.width)), padding)
        ground = lambda ids: model.ground(  # noqa: E731
            tuple(part.expand(len(ids), *part.shape[1:]) for part in image), ids, torch.ones_like(ids), aux=False
        )
        vocabulary = 50265
    print(json.dumps({'ready': True}), flush=True)
    with torch.inference_mode():
        for line in sys.stdin:
            ids = make_ids(int(line), args.tokens, vocabulary)
            started = time.process_time()
            times = time_runs(lambda: ground(ids), args.repeat)
            cpu_ms = (time.process_time() - started) * 1000 / (args.repeat + 1)
            print(json.dumps({'wallMs': times, 'cpuMs': cpu_ms}), flush=True)
    return {}


def train(args: argparse.Namespace) -> dict:
    """Complete training steps: dropout, all auxiliary losses, gradient clipping at 0.1, three learning rates."""
    model = Mdetr(SIZES[args.size])
    fill(model)
    model.train()
    images = synthetic_image('image', (args.batch, 3, args.image, args.image))
    padding = torch.zeros(args.batch, args.image, args.image, dtype=torch.bool)
    ids = make_ids(args.batch, args.tokens, 50265)
    mask = torch.ones_like(ids)
    targets = make_targets([args.boxes] * args.batch, args.tokens)
    groups: dict[float, list[nn.Parameter]] = {1e-4: [], 1e-5: [], 5e-5: []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups[1e-5 if 'backbone' in name else 5e-5 if 'text_encoder' in name else 1e-4].append(parameter)
    optimizer = torch.optim.AdamW(
        [{'params': group, 'lr': rate} for rate, group in groups.items()], weight_decay=1e-4, **OPTIMIZERS[args.optimizer]
    )
    trainable = [parameter for group in groups.values() for parameter in group]
    phases = Phases()
    for _ in range(args.repeat + args.warm_up):
        phases.start_step()
        phases.phase('forward')
        outputs = model(images, padding, ids, mask)
        phases.phase('matching')
        matches = [match(logits, boxes, targets) for logits, boxes in zip(outputs['pred_logits'], outputs['pred_boxes'])]
        phases.phase('losses')
        loss = total(losses(outputs, targets, matches))
        phases.phase('backward')
        optimizer.zero_grad()
        loss.backward()
        phases.phase('clip')
        torch.nn.utils.clip_grad_norm_(trainable, 0.1)
        phases.phase('update')
        optimizer.step()
        phases.phase(None)
    result = describe(args, model) | {'queries': SIZES[args.size].queries, 'lossAtEnd': round(float(loss.detach()), 4)}
    return {**result, **phases.summary(args.warm_up), 'peakRssBytes': peak_rss_bytes()}


def make_cells(size: ScenesSize, positions: int) -> CellTargets:
    """Random auxiliary targets: a third of the cells show a mentioned object, half show any object."""
    texts, cells = size.images * size.texts, positions * 4
    tokens = torch.zeros(texts, cells, 256)
    mentioned = torch.rand(texts, cells) < 1 / 3
    tokens[..., 1:3] = mentioned[..., None] * 0.5
    tokens[..., -1] = (~mentioned).float()
    kinds = {kind: torch.randint(classes, (size.images, cells)) for kind, classes in KINDS.items() if kind not in ('objectness', 'box')}
    boxes = [to_corners(torch.cat((0.3 + 0.4 * torch.rand(n, cells, 2), 0.1 + 0.2 * torch.rand(n, cells, 2)), -1)) for n in (texts, size.images)]
    return CellTargets(mentioned, tokens, boxes[0], torch.rand(size.images, cells) < 0.5, kinds, boxes[1])


def overridden(settings: list[str]) -> ScenesSize:
    size = ScenesSize()
    types = {field.name: type(getattr(size, field.name)) for field in fields(size)}
    for setting in settings:
        key, _, text = setting.partition('=')
        if key not in types:
            raise SystemExit(f'--set {key}: unknown; known: {", ".join(types)}')
        value = json.loads(text)
        size = replace(size, **{key: tuple(value) if types[key] is tuple else types[key](value)})
    return size


def train_scenes(args: argparse.Namespace) -> dict:
    """AdamW with one learning rate, no decay on biases and norms, clipping at 0.1, EMA 0.999; several captions per image."""
    size = overridden(args.set)
    model = ScenesNetwork(size)
    model.train()
    average = copy.deepcopy(model).requires_grad_(False)
    texts = size.images * size.texts
    images = synthetic_image('image', (size.images, 3, size.height_px, size.width_px))
    ids = make_ids(texts, size.tokens, size.vocabulary)
    targets = make_targets([size.boxes] * texts, size.tokens)
    with torch.no_grad():
        outputs = model(images, ids)
    cells = make_cells(size, outputs['auxiliary_encoder'].shape[1] // 4) if size.auxiliary_heads else None
    decayed = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{'params': decayed, 'weight_decay': 1e-4}, {'params': plain, 'weight_decay': 0.0}],
        lr=size.learning_rate,
        **OPTIMIZERS[args.optimizer],
    )
    everything = [*model.parameters()]
    averaged = [*average.parameters()]
    final = (torch.arange(size.boxes) == 0).float().repeat(texts)
    phases = Phases()
    for _ in range(args.repeat + args.warm_up):
        phases.start_step()
        phases.phase('forward')
        outputs = model(images, ids)
        phases.phase('matching')
        matches = [match(logits, boxes, targets) for logits, boxes in zip(outputs['pred_logits'], outputs['pred_boxes'])]
        phases.phase('losses')
        loss = total(losses(outputs, targets, matches))
        for scores, matched in zip(outputs['pred_isfinal'], matches):
            for i, (rows, columns) in enumerate(matched):
                wanted = final[i * size.boxes + columns]
                loss = loss + F.binary_cross_entropy_with_logits(scores[i, rows, 0], wanted, reduction='sum') / final.numel()
        if cells is not None:
            loss = loss + auxiliary_losses(outputs, cells)
        phases.phase('backward')
        optimizer.zero_grad()
        loss.backward()
        phases.phase('clip')
        torch.nn.utils.clip_grad_norm_(everything, 0.1)
        phases.phase('update')
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(averaged, everything, 1e-3)
        phases.phase(None)
    auxiliary = sum(p.numel() for name, p in model.named_parameters() if name.startswith('auxiliary'))
    result = describe(args, model)
    result['parameters'] -= auxiliary
    result |= {'auxiliaryParameters': auxiliary, 'samplesPerStep': texts, 'lossAtEnd': round(float(loss.detach()), 4)}
    result |= phases.summary(args.warm_up)
    result['samplesPerSecond'] = round(texts / result['medianMs'] * 1000, 1)
    result['samplesPerSecondFastest'] = round(texts / result['minMs'] * 1000, 1)
    return {**result, 'peakRssBytes': peak_rss_bytes()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument('--threads', type=int, default=2)
    common.add_argument('--repeat', type=int, default=5)
    model = argparse.ArgumentParser(add_help=False)
    model.add_argument('--size', choices=SIZES, default='r101')
    model.add_argument('--tokens', type=int, default=15, help='with <s> and </s>')
    training = argparse.ArgumentParser(add_help=False)
    training.add_argument('--optimizer', choices=OPTIMIZERS, default='default', help="AdamW's implementation")
    training.add_argument('--warm-up', type=int, default=1, help='steps that are not counted')

    p = commands.add_parser('infer', parents=[common, model])
    p.add_argument('--height', type=int, default=800)
    p.add_argument('--width', type=int, default=1066)
    p.add_argument('--batch', type=int, default=1)
    p.add_argument('--second-text', action='store_true', help='also time a text on an image that is encoded already')
    p.add_argument('--fold', action='store_true', help='batch norms folded into the convolutions, which eager users do not have')
    p.set_defaults(run=infer)
    p = commands.add_parser('text', parents=[common])
    p.add_argument('--size', choices=[*SIZES, 'embedded'], default='r101')
    p.add_argument('--tokens', type=int, default=15)
    p.add_argument('--height', type=int, default=800)
    p.add_argument('--width', type=int, default=1066)
    p.set_defaults(run=text)
    p = commands.add_parser('train', parents=[common, model, training])
    p.add_argument('--image', type=int, default=512, help='height and width')
    p.add_argument('--batch', type=int, default=2)
    p.add_argument('--boxes', type=int, default=5, help='per image')
    p.set_defaults(run=train)
    p = commands.add_parser('train-scenes', parents=[common, training])
    p.add_argument('--set', action='append', default=[], metavar='KEY=JSON', help='field of ScenesSize')
    p.set_defaults(run=train_scenes)
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    imported = current_rss_bytes()
    print(json.dumps({**args.run(args), 'rssAfterImportsBytes': imported}))


if __name__ == '__main__':
    main()
