import { Command } from 'commander';
import type { RawImage } from '../../data/images/raw-image.ts';
import { UsageError } from '../../errors.ts';
import { packageVersion } from '../../files/package-folder.ts';
import { OutputRule } from '../../files/output-rule.ts';
import { AppendFile } from '../../files/append-file.ts';
import { detectionLine } from '../../results/result-lines.ts';
import type { TrackedFrame } from '../../video/node/track.ts';
import { addModelOptions, loadModel, type ModelOptions } from '../options/model-options.ts';
import { collectCaptions, fraction, integerFrom, rateOrSeconds, requireCaptions } from '../options/option-values.ts';
import { interruptible } from '../options/stop-signals.ts';
import { note, print } from '../output/print.ts';

interface TrackCommandOptions extends ModelOptions {
  readonly caption?: readonly string[];
  readonly every?: number;
  readonly fps?: number;
  readonly maxFrames?: number;
  readonly maxAge?: number;
  readonly threshold?: number;
  readonly masks?: boolean;
  readonly out?: string;
  readonly results?: string;
  readonly json?: boolean;
}

const EXAMPLES = `
VIDEO is a file that the system's ffmpeg reads, or a camera: camera:0, /dev/video0. ffmpeg decodes ahead, in a process of its
own; MDETR_FFMPEG names another program.

Every frame is one result, a JSON object on one line with --json or --results FILE: the keys of "detect", and "frame", "time"
(seconds) and each detection's "track", the number of its object. An object keeps its number while it is hidden for less than
--max-age seconds, crosses others, or the camera moves: box, motion, phrase and appearance (the query's embedding) are compared.

Examples
  mdetr track street.mp4 --caption "a dog" --fps 5 --out dogs.mp4
      five frames a second, and the video with the boxes drawn
  mdetr track street.mp4 --caption "a man and his dog" --every 3 --results tracks.jsonl
  mdetr track camera:0 --caption "a cup" --max-frames 100 --json`;

/** `mdetr track`: detects in videos and follows objects from frame to frame. */
export const trackCommand = (): Command => {
  const command = new Command('track')
    .description('Detect the objects that a caption mentions in a video, and follow them from frame to frame.')
    .argument('<video>', 'video file, or camera')
    .option('--caption <text>', 'caption (required)', collectCaptions)
    .option('--every <n>', 'look at every n-th frame (default: 1)', integerFrom(1))
    .option('--fps <n>', 'look at n frames a second instead', rateOrSeconds)
    .option('--max-frames <n>', 'stop after n frames', integerFrom(1))
    .option('--max-age <s>', 'seconds after which an object that is not seen is forgotten (default: 3)', rateOrSeconds)
    .option(
      '--threshold <p>',
      "score that a detection must exceed (default: the model's calibrated value, else 0.7)",
      fraction,
    )
    .option('--masks', 'also predict masks; needs a model with the segmentation head')
    .option('--out <file>', 'write the video with the boxes drawn, as .mp4, .mkv, .mov or .webm')
    .option('--results <file>', 'write one JSON object per frame and line to this file')
    .option('--json', 'print one JSON object per frame and line');
  return addModelOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((video: string, options: TrackCommandOptions) => run(video, options));
};

const run = async (video: string, options: TrackCommandOptions): Promise<void> => {
  const { every, fps, maxFrames, maxAge, threshold, masks, out, results, json } = options;
  if (every !== undefined && fps !== undefined)
    throw new UsageError('--every and --fps exclude each other: give one of them');
  const [caption, ...more] = await requireCaptions('--caption', options.caption);
  if (more.length > 0) throw new UsageError('--caption: a video is tracked with one caption; name all objects in it');
  const { isCamera, readVideo } = await import('../../video/node/video-frames.ts');
  const { VideoFile } = await import('../../video/node/video-file.ts');
  const { trackFrames } = await import('../../video/node/track.ts');
  const rule = new OutputRule({
    inputs: [isCamera(video) ? undefined : video, options.model, options.tokenizer, options.config],
  });
  if (out !== undefined) rule.named(out, `--out ${out}`);
  if (results !== undefined) rule.named(results, `--results ${results}`);
  const drawn = out === undefined ? undefined : new VideoFile(out);
  const model = await loadModel(options);
  const file = results === undefined ? undefined : new AppendFile(results, 0);
  const counts = { frames: 0, waitMs: 0, tracks: new Set<number>() };
  const started = performance.now();
  try {
    await interruptible(async (signal) => {
      const frames = readVideo(video, { every, fps, maxFrames, signal });
      const settings = { maxAgeS: maxAge, threshold, masks, signal };
      for await (const { result: frame, image } of trackFrames(model, video, frames, caption!, settings)) {
        counts.frames++;
        counts.waitMs += frame.waitMs;
        for (const { track: id } of frame.detections) counts.tracks.add(id);
        const line = JSON.stringify(lineOf(frame));
        file?.append(`${line}\n`);
        if (json === true) print(`${line}\n`);
        else if (file === undefined && drawn === undefined) print(textOf(frame));
        await drawn?.add(await drawingOf(image, frame), frame.time);
      }
      await drawn?.finish();
    });
  } catch (error) {
    await drawn?.abort();
    throw error;
  } finally {
    file?.close();
    await model.dispose();
  }
  const seconds = (performance.now() - started) / 1000;
  const waited = counts.waitMs / 1000 / seconds;
  note(
    `${video}: ${counts.frames} frames, ${counts.tracks.size} objects; ${(counts.frames / seconds).toFixed(1)} frames a second, ${(100 * waited).toFixed(1)} % of the time waiting for the decoder`,
  );
};

const lineOf = (frame: TrackedFrame): Record<string, unknown> => {
  const { frame: index, time } = frame;
  const { image, width, height, ...rest } = detectionLine({ ...frame, packageVersion: packageVersion() });
  return { image, frame: index, time: Math.round(time * 1e4) / 1e4, width, height, ...rest };
};

const textOf = ({ time, detections }: TrackedFrame): string =>
  `${time.toFixed(2).padStart(8)} s  ${detections.map(({ track: id, label, score }) => `#${id} ${label} ${score.toFixed(2)}`).join(', ') || '–'}\n`;

const drawingOf = async (image: RawImage, frame: TrackedFrame): Promise<Uint8Array> => {
  const { drawDetections } = await import('../../drawing/node/index.ts');
  const detections = frame.detections.map((detection) => ({ ...detection, tag: `#${detection.track}` }));
  // A line of constant height below the caption, so that all frames have one size.
  return drawDetections(image, { caption: frame.caption, detections, note: `${frame.time.toFixed(2)} s` });
};
