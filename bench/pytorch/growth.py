"""PyTorch's side of bench/growth.ts: reads one measurement a line from stdin, as JSON, and answers with its times and memory."""

from __future__ import annotations

import argparse
import json
import sys
import time

import torch

from mdetr_baseline import SIZES, make_ids
from mdetr_network import Mdetr
from measure import current_rss_bytes, time_runs
from synthetic_weights import fill, synthetic_image


def reset_peak() -> None:
    """The kernel forgets the highest resident size so far (Linux)."""
    with open('/proc/self/clear_refs', 'w') as file:
        file.write('5')


def peak_bytes() -> int:
    with open('/proc/self/status') as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith('VmHWM'))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('--size', default='r101')
    args = parser.parse_args()
    model = Mdetr(SIZES[args.size])
    fill(model)
    model.eval()
    print(json.dumps({'ready': True}), flush=True)
    loaded = current_rss_bytes()
    with torch.inference_mode():
        small = (synthetic_image('image', (1, 3, 128, 128)), torch.zeros(1, 128, 128, dtype=torch.bool))
        model(*small, make_ids(1, 5, 50265), torch.ones(1, 5, dtype=torch.int64), aux=False)
        base = current_rss_bytes()
        for line in sys.stdin:
            point = json.loads(line)
            torch.set_num_threads(point['threads'])
            side, batch, captions = point['side'], point['batch'], point['captions']
            images = synthetic_image('image', (batch, 3, side, side))
            padding = torch.zeros(batch, side, side, dtype=torch.bool)
            ids = make_ids(captions, point['tokens'], 50265)
            mask = torch.ones_like(ids)
            encoded = model.encode_image(images, padding) if point['textOnly'] else None
            reset_peak()

            def run() -> None:
                if encoded is None:
                    model(images, padding, ids, mask, aux=False)
                else:
                    model.ground(tuple(part.expand(captions, *part.shape[1:]) for part in encoded), ids, mask, aux=False)

            started = time.process_time()
            wall = time_runs(run, point['repeat'])
            cpu = (time.process_time() - started) * 1000 / (point['repeat'] + 1)
            peak = peak_bytes()
            memory = {'growthMb': max(0, peak - base) / 1e6, 'sinceLoadMb': max(0, peak - loaded) / 1e6}
            print(json.dumps({'wallMs': min(wall), 'cpuMs': cpu, **memory}), flush=True)


if __name__ == '__main__':
    main()
