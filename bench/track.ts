import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MDETR } from '../src/inference/node/mdetr.ts';
import { track, type TrackedFrame } from '../src/video/node/track.ts';
import { CLIP_CAPTION, drawClip, hasFfmpeg, scoreClip } from '../test/support/clip.ts';

/**
 * Tracking in a drawn clip of ten seconds (needs ffmpeg): ids that are right, id switches, and the fraction of the time that
 * is spent waiting for decoding (target < 10 % at official size).
 *
 *     npx tsx bench/track.ts [--model default] [--tokenizer DIR] [--frames 100]
 */
const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'default' },
    tokenizer: { type: 'string' },
    frames: { type: 'string', default: '100' },
  },
});
if (!hasFfmpeg) throw new Error('this measurement needs ffmpeg');
const folder = mkdtempSync(join(tmpdir(), 'mdetr-track-'));
try {
  await using model = await MDETR.fromPretrained(values.model, { tokenizer: values.tokenizer });
  for (const isMoving of [true, false]) {
    const { path, frames } = await drawClip(join(folder, String(isMoving)), isMoving);
    const tracked: TrackedFrame[] = [];
    let started = 0;
    let waitMs = 0;
    for await (const frame of track(model, path, CLIP_CAPTION, { threshold: 0.5, maxFrames: Number(values.frames) })) {
      // Starting ffmpeg counts for the first frame only.
      if (started === 0) started = performance.now();
      else waitMs += frame.waitMs;
      tracked.push(frame);
    }
    const passed = performance.now() - started;
    const { right, switches, detected } = scoreClip(
      frames.slice(0, tracked.length),
      tracked.map(({ detections }) => detections),
    );
    console.log(
      `${isMoving ? 'moving' : 'still '} clip: ids right ${(100 * right).toFixed(1)} %, ${switches} switches, ` +
        `${(100 * detected).toFixed(1)} % of the objects detected; ${((1000 * (tracked.length - 1)) / passed).toFixed(1)} frames a second, ` +
        `${((100 * waitMs) / passed).toFixed(1)} % of the time waiting for decoding`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
