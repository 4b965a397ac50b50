import { mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { MDETR } from '../../src/inference/node/mdetr.ts';
import { track, type TrackedFrame } from '../../src/video/node/track.ts';
import { VideoFile } from '../../src/video/node/video-file.ts';
import { readVideo, type VideoFrame } from '../../src/video/node/video-frames.ts';
import { CLIP_CAPTION, drawClip, hasFfmpeg, scoreClip } from '../support/clip.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-video-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!hasFfmpeg)('tracking in a drawn clip of ten seconds (needs ffmpeg)', () => {
  it.each([
    ['crossing, leaving and returning objects under a moving camera', true],
    ['objects that stand still', false],
  ])(
    '%s',
    async (_, isMoving) => {
      const { path, frames } = await drawClip(join(folder, isMoving ? 'moving' : 'still'), isMoving);
      await using model = await MDETR.fromPretrained();
      const tracked: TrackedFrame[] = [];
      for await (const frame of track(model, path, CLIP_CAPTION, { threshold: 0.5 })) tracked.push(frame);
      expect(tracked).toHaveLength(frames.length);
      expect(tracked[10]!.time).toBeCloseTo(1, 3);
      const score = scoreClip(
        frames,
        tracked.map(({ detections }) => detections),
      );
      console.log(`${isMoving ? 'moving' : 'still'} clip: ${JSON.stringify(score)}`);
      expect(score.right).toBeGreaterThanOrEqual(0.98);
      if (!isMoving) expect(score.switches).toBe(0);
    },
    200_000,
  );
});

describe.skipIf(!hasFfmpeg)('videos (needs ffmpeg)', () => {
  const clip = join(folder, 'short.mp4');
  const framesOf = async (options: Parameters<typeof readVideo>[1] = {}): Promise<number[]> => {
    const times: number[] = [];
    for await (const { timeS, image } of readVideo(clip, options)) {
      expect([image.width, image.height, image.data.length]).toEqual([64, 48, 64 * 48 * 3]);
      times.push(Math.round(timeS * 100) / 100);
    }
    return times;
  };

  it('of phones, turned and with a missing third of a second, keep their times when they are drawn', async () => {
    const [straight, turned, drawn] = ['straight.mp4', 'turned.mp4', 'drawn.mp4'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const ffmpeg = (...args: string[]) => execFileSync('ffmpeg', ['-v', 'error', '-y', ...args]);
    const gap = "select='not(between(n,10,19))'";
    ffmpeg('-f', 'lavfi', '-i', 'testsrc=size=64x48:rate=30:duration=1', '-vf', gap, '-vsync', 'vfr', straight);
    ffmpeg('-i', straight, '-c', 'copy', '-metadata:s:v:0', 'rotate=90', turned);
    const timesOf = async (path: string, use: (frame: VideoFrame) => unknown = () => undefined): Promise<number[]> => {
      const times: number[] = [];
      for await (const frame of readVideo(path)) {
        await use(frame);
        times.push(Math.round(frame.timeS * 30));
      }
      return times;
    };
    const present = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29];
    const file = new VideoFile(drawn);
    const add = async ({ image: { width, height, data }, timeS }: VideoFrame) => {
      // Of a newer ffmpeg, which has no `rotate`, the clip stays as it is.
      expect(width * height).toBe(64 * 48);
      await file.add(
        await sharp(data, { raw: { width, height, channels: 3 } })
          .png()
          .toBuffer(),
        timeS,
      );
    };
    expect(await timesOf(turned, add)).toEqual(present);
    await file.finish();
    expect(await timesOf(drawn)).toEqual(Array.from({ length: 30 }, (_, index) => index));
  });

  it('give all frames, every n-th, or a number a second, with their times', async () => {
    execFileSync('ffmpeg', ['-v', 'error', '-y', '-f', 'lavfi', '-i', 'testsrc=size=64x48:rate=10:duration=1', clip]);
    expect(await framesOf()).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]);
    expect(await framesOf({ every: 4 })).toEqual([0, 0.4, 0.8]);
    expect(await framesOf({ fps: 2 })).toHaveLength(2);
    expect(await framesOf({ maxFrames: 3 })).toHaveLength(3);
    await expect(framesOf({ every: 2, fps: 2 })).rejects.toThrow('exclude each other');
    await expect(framesOf({ maxPixels: 100 })).rejects.toThrow('more pixels than the limit');
    await expect(framesOf({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  });

  it('that are none, damaged, or lists of other files are named', async () => {
    const text = join(folder, 'text.mp4');
    writeFileSync(text, 'no video');
    await expect(readVideo(text).next()).rejects.toThrow(/text\.mp4: is no video that ffmpeg can read/);
    writeFileSync(text, readFileSync(clip).subarray(0, 300));
    await expect(readVideo(text).next()).rejects.toThrow('is no video that ffmpeg can read');
    const list = join(folder, 'list.m3u8');
    writeFileSync(list, '#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n');
    await expect(readVideo(list).next()).rejects.toThrow('is no video that ffmpeg can read');
    await expect(readVideo(join(folder, 'none.mp4')).next()).rejects.toThrow('there is no such file');
    await expect(readVideo(folder).next()).rejects.toThrow('is a folder');
  });
});

describe('without ffmpeg', () => {
  it('one line says how to get it', async () => {
    const before = process.env['MDETR_FFMPEG'];
    process.env['MDETR_FFMPEG'] = join(folder, 'nowhere');
    try {
      await expect(readVideo(new URL(import.meta.url).pathname).next()).rejects.toThrow(
        /videos need ffmpeg.*apt install ffmpeg/,
      );
    } finally {
      if (before === undefined) delete process.env['MDETR_FFMPEG'];
      else process.env['MDETR_FFMPEG'] = before;
    }
  });
});
