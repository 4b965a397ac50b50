import { Command } from 'commander';
import { UsageError } from '../../errors.ts';
import { packageVersion } from '../../files/package-folder.ts';
import { OutputRule } from '../../files/output-rule.ts';
import { AppendFile } from '../../files/append-file.ts';
import { detectionLine } from '../../results/result-lines.ts';
import type { TrackedFrame } from '../../video/node/track.ts';
import { addModelOptions, loadModel, type ModelOptions } from '../options/model-options.ts';
import { collectCaptions, fraction, integerFrom, requireCaptions } from '../options/option-values.ts';
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
    .option('--fps <n>', 'look at n frames a second instead', framesPerSecond)
    .option('--max-frames <n>', 'stop after n frames', integerFrom(1))
    .option(
      '--max-age <s>',
      'seconds after which an object that is not seen is forgotten (default: 3)',
      framesPerSecond,
    )
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

const framesPerSecond = (text: string): number => {
  const value = Number(text);
  if (!(value >= 0.001 && value <= 1000))
    throw new UsageError(`"${text.slice(0, 100)}" is not a number from 0.001 to 1000`);
  return value;
};

const run = async (video: string, options: TrackCommandOptions): Promise<void> => {
  const { every, fps, maxFrames, maxAge, threshold, masks, out, results, json } = options;
  if (every !== undefined && fps !== undefined)
    throw new UsageError('--every and --fps exclude each other: give one of them');
  const [caption, ...more] = await requireCaptions('--caption', options.caption);
  if (more.length > 0) throw new UsageError('--caption: a video is tracked with one caption; name all objects in it');
  const { isCamera } = await import('../../video/node/video-frames.ts');
  const { VideoFile } = await import('../../video/node/video-file.ts');
  const { track } = await import('../../video/node/track.ts');
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
      const settings = { every, fps, maxFrames, maxAgeS: maxAge, threshold, masks, signal };
      for await (const { frame, image } of withImages(track, model, video, caption!, settings)) {
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

type Track = typeof import('../../video/node/track.ts').track;

/** Tracked frames with their images, which a drawing needs. */
async function* withImages(
  track: Track,
  model: Parameters<Track>[0],
  video: string,
  caption: string,
  { every, fps, maxFrames, signal, ...options }: NonNullable<Parameters<Track>[3]>,
) {
  const { readVideo } = await import('../../video/node/video-frames.ts');
  const images: { image: Parameters<typeof drawingOf>[0]; waitMs: number }[] = [];
  const frames = async function* () {
    for await (const { image, timeS, waitMs } of readVideo(video, { every, fps, maxFrames, signal })) {
      images.push({ image, waitMs });
      yield { image, timeS };
    }
  };
  for await (const frame of track(model, frames(), caption, { ...options, signal })) {
    const { image, waitMs } = images.shift()!;
    yield { image, frame: { ...frame, image: video, waitMs } };
  }
}

const lineOf = (frame: TrackedFrame): Record<string, unknown> => {
  const { frame: index, time } = frame;
  const { image, width, height, ...rest } = detectionLine({ ...frame, packageVersion: packageVersion() });
  return { image, frame: index, time: Math.round(time * 1e4) / 1e4, width, height, ...rest };
};

const textOf = ({ time, detections }: TrackedFrame): string =>
  `${time.toFixed(2).padStart(8)} s  ${detections.map(({ track: id, label, score }) => `#${id} ${label} ${score.toFixed(2)}`).join(', ') || '–'}\n`;

const drawingOf = async (
  image: import('../../data/images/raw-image.ts').RawImage,
  frame: TrackedFrame,
): Promise<Uint8Array> => {
  const { drawDetections } = await import('../../drawing/node/index.ts');
  const detections = frame.detections.map((detection) => ({ ...detection, tag: `#${detection.track}` }));
  // A line of constant height below the caption, so that all frames have one size.
  return drawDetections(image, { caption: frame.caption, detections, note: `${frame.time.toFixed(2)} s` });
};
