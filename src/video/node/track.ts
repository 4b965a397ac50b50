import type { ImageSource } from '../../data/images/image-source.ts';
import { checkOptions, integerFrom, numberFrom, type OptionRules } from '../../options/check-options.ts';
import type { LoadedModel } from '../../inference/loaded-model.ts';
import { inferenceOptionRules, type InferenceOptions } from '../../inference/options.ts';
import type { DetectedObject, DetectionResult } from '../../results/types.ts';
import { Tracker } from '../tracker.ts';
import { readVideo, type VideoFrame, type VideoOptions } from './video-frames.ts';

/** A detection with the number of its object, which stays the same from frame to frame. */
export interface TrackedObject extends DetectedObject {
  /** Number of the object in the video, from 1. */
  readonly track: number;
}

/** Result of one frame of a video. */
export interface TrackedFrame extends Omit<DetectionResult, 'detections'> {
  /** Index of the frame among those that are read, from 0. */
  readonly frame: number;
  /** Time stamp in seconds. */
  readonly time: number;
  /** Milliseconds that were waited for the decoding of the frame. */
  readonly waitMs: number;
  /** Detections with the ids of their objects. */
  readonly detections: readonly TrackedObject[];
}

/** A frame of the caller's own. */
export interface OwnFrame {
  /** Pixels of the frame. */
  readonly image: ImageSource;
  /** Time stamp in seconds. */
  readonly timeS: number;
}

/** A frame of a video, or a numbered one of the caller's own. */
interface TimedFrame<Image> extends Omit<VideoFrame, 'image'> {
  readonly image: Image;
}

/** Options of `track`. */
export interface TrackOptions extends InferenceOptions, Omit<VideoOptions, 'signal'> {
  /** Seconds after which an object that is not seen is forgotten. Default 3. */
  readonly maxAgeS?: number | undefined;
}

const rules: OptionRules<TrackOptions> = {
  ...inferenceOptionRules,
  every: integerFrom(1),
  fps: numberFrom(0.001),
  maxFrames: integerFrom(1),
  maxPixels: numberFrom(1),
  maxAgeS: numberFrom(0),
};

/**
 * Detects what a caption mentions in every frame of a video and follows each object: a phrase's object keeps its number,
 * also when it is hidden for a while, crosses another one, or the camera moves. Frames are decoded ahead by the system's
 * ffmpeg.
 *
 * @param video path of a video, a camera (`camera:0`), or an iterable of frames
 * @throws {UsageError} for unknown options
 * @throws {MdetrError} if ffmpeg is missing, the video cannot be read, or as `detect`
 */
export async function* track(
  model: LoadedModel,
  video: string | AsyncIterable<OwnFrame> | Iterable<OwnFrame>,
  caption: string,
  options: TrackOptions = {},
): AsyncGenerator<TrackedFrame, void, undefined> {
  checkOptions('track', options, rules);
  const { every, fps, maxFrames, maxPixels, ...rest } = options;
  const [name, frames] =
    typeof video === 'string'
      ? [video, readVideo(video, { every, fps, maxFrames, maxPixels, signal: rest.signal })]
      : ['video', numbered(video)];
  for await (const { result } of trackFrames(model, name, frames, caption, rest)) yield result;
}

/** Tracks in frames as `track` does, and yields each result with the image of its frame. */
export async function* trackFrames<Image extends ImageSource>(
  model: LoadedModel,
  name: string,
  frames: AsyncIterable<TimedFrame<Image>>,
  caption: string,
  { maxAgeS, ...inference }: InferenceOptions & Pick<TrackOptions, 'maxAgeS'>,
): AsyncGenerator<{ readonly result: TrackedFrame; readonly image: Image }, void, undefined> {
  const tracker = new Tracker({ maxAgeS });
  for await (const { frame, timeS, image, waitMs } of frames) {
    // The whole call is one batch of one frame: the next frames are decoded meanwhile, in another process.
    const [result] = await model.detectBatch([{ image, text: caption, name }], { ...inference, embeddings: true });
    const ids = tracker.update(
      timeS,
      result!.detections.map(({ box, score, spans, label, embedding }) => ({
        box,
        score,
        embedding,
        phrase: spans[0] === undefined ? label : `${spans[0].start}:${spans[0].end}`,
      })),
    );
    const kept = ids.flatMap((id, index) => (id === undefined ? [] : [index]));
    const phrases = result!.phrases.map((phrase) => ({
      ...phrase,
      detections: phrase.detections.map((index) => kept.indexOf(index)).filter((index) => index >= 0),
    }));
    const detections = result!.detections.flatMap((detection, index): TrackedObject[] => {
      const id = ids[index];
      if (id === undefined) return [];
      const { embedding, ...rest } = detection;
      return [{ ...rest, embedding: inference.embeddings === true ? embedding : undefined, track: id }];
    });
    yield { image, result: { ...result!, phrases, frame, time: timeS, waitMs, detections } };
  }
}

async function* numbered(
  frames: AsyncIterable<OwnFrame> | Iterable<OwnFrame>,
): AsyncGenerator<TimedFrame<ImageSource>, void, undefined> {
  let frame = 0;
  for await (const { image, timeS } of frames) yield { frame: frame++, timeS, image, waitMs: 0 };
}
