import { createInterface } from 'node:readline';
import { DECODE_DEFAULTS } from '../../data/images/decode-options.ts';
import type { RawImage } from '../../data/images/raw-image.ts';
import { MdetrError, UsageError } from '../../errors.ts';
import { requireInput } from '../../files/input-file.ts';
import { ended, FfmpegReport, startFfmpeg } from './ffmpeg.ts';

/** One decoded frame of a video. */
export interface VideoFrame {
  /** Index among the frames that are read, from 0. */
  readonly frame: number;
  /** Time stamp in seconds. */
  readonly timeS: number;
  readonly image: RawImage;
  /** Milliseconds that the reader waited for the frame; 0 if it was decoded ahead. */
  readonly waitMs: number;
}

/** Options of `readVideo`. */
export interface VideoOptions {
  /** Read every n-th frame. Default 1: all. */
  readonly every?: number | undefined;
  /** Read this many frames a second instead; frames are dropped or repeated. */
  readonly fps?: number | undefined;
  /** Stop after this many frames. */
  readonly maxFrames?: number | undefined;
  /** Frames with more pixels are refused. Default 50 million. */
  readonly maxPixels?: number | undefined;
  /** Stops reading. */
  readonly signal?: AbortSignal | undefined;
}

/** Frames that are decoded ahead of the reader. */
const FRAMES_AHEAD = 4;
const MAX_HEADER_BYTES = 64;
/** Rate that is assumed for frames without time stamps. */
const DEFAULT_FPS = 25;

/** Whether a name is that of a camera: `camera:0`, or a video device of Linux. */
export const isCamera = (source: string): boolean => /^camera:|^\/dev\/video\d+$/.test(source);

/**
 * Reads the frames of a video file or camera, decoded by the system's ffmpeg in another process, a few frames ahead. Frames
 * are turned as the file says. Only the file itself is read: play lists cannot lead elsewhere.
 *
 * @param source path of a file, `camera:N`, or a video device (`/dev/video0`)
 * @throws {MdetrError} if ffmpeg is missing, or the file is no video or broken
 */
export async function* readVideo(
  source: string,
  options: VideoOptions = {},
): AsyncGenerator<VideoFrame, void, undefined> {
  const { maxFrames = Infinity, maxPixels = DECODE_DEFAULTS.maxPixels, signal } = options;
  signal?.throwIfAborted();
  if (!isCamera(source)) await requireInput(source);
  // prettier-ignore
  const child = startFfmpeg([
    ...inputOf(source),
    '-map', '0:v:0', '-vf', filterOf(options), '-vsync', 'passthrough',
    ...(maxFrames === Infinity ? [] : ['-frames:v', String(maxFrames)]),
    '-pix_fmt', 'rgb24', '-f', 'image2pipe', '-c:v', 'ppm', 'pipe:1',
  ]);
  const end = ended(child);
  const report = new FfmpegReport();
  const times = new TimeStamps();
  child.stdin.on('error', () => undefined);
  child.stdin.end();
  const log = createInterface({ input: child.stderr });
  log.on('line', (line) => {
    const time = /Parsed_showinfo.*\bpts_time:\s*(-?[\d.]+)/.exec(line)?.[1];
    if (time === undefined) report.add(line);
    else times.add(Number(time));
  });
  const logged = new Promise<void>((resolve) =>
    log.once('close', () => {
      times.close();
      resolve();
    }),
  );
  const stop = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', stop);
  const ahead = decodedAhead(framesOf(child.stdout, source, maxPixels));
  let frame = 0;
  let isComplete = false;
  try {
    for (;;) {
      const started = performance.now();
      const { next, wasReady } = await ahead.take();
      if (next.done === true) break;
      signal?.throwIfAborted();
      const waitMs = wasReady ? 0 : performance.now() - started;
      const timeS = (await times.at(frame)) ?? frame / (options.fps ?? DEFAULT_FPS);
      yield { frame, timeS, image: next.value, waitMs };
      frame++;
    }
    isComplete = true;
  } finally {
    signal?.removeEventListener('abort', stop);
    if (!isComplete) stop();
  }
  signal?.throwIfAborted();
  const status = await end;
  if (status instanceof MdetrError) throw status;
  await logged;
  if (frame === 0 || status !== 0)
    throw new MdetrError(
      `${source}: ${frame === 0 ? 'is no video that ffmpeg can read' : `the video is damaged after frame ${frame}`} (${report.reason})`,
    );
}

/** Time stamps of frames, which ffmpeg reports on another stream than the frames themselves. */
class TimeStamps {
  private readonly times: number[] = [];
  private isClosed = false;
  private wake: () => void = () => undefined;

  add(timeS: number): void {
    this.times.push(timeS);
    this.wake();
  }

  close(): void {
    this.isClosed = true;
    this.wake();
  }

  /** Time of a frame in seconds; undefined if ffmpeg ended without reporting it. */
  async at(frame: number): Promise<number | undefined> {
    while (this.times.length <= frame && !this.isClosed)
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    return this.times[frame];
  }
}

const inputOf = (source: string): string[] => {
  if (!isCamera(source)) return ['-protocol_whitelist', 'file,pipe', '-i', `file:${source}`];
  const device = source.replace(/^camera:/, '');
  if (process.platform === 'darwin') return ['-f', 'avfoundation', '-framerate', '30', '-i', device];
  if (process.platform === 'win32') return ['-f', 'dshow', '-i', `video=${device}`];
  return ['-f', 'v4l2', '-i', device.startsWith('/') ? device : `/dev/video${device}`];
};

/** @throws {UsageError} if both rates are given */
const filterOf = ({ every = 1, fps }: VideoOptions): string => {
  if (every !== 1 && fps !== undefined) throw new UsageError('every and fps exclude each other: give one of them');
  const chosen = fps !== undefined ? [`fps=${fps}`] : every > 1 ? [`select='not(mod(n\\,${every}))'`] : [];
  return [...chosen, 'showinfo'].join(',');
};

/** Images of a stream of PPM files, which state their sizes. @throws {MdetrError} if the stream is something else */
async function* framesOf(stream: AsyncIterable<Buffer>, source: string, maxPixels: number): AsyncGenerator<RawImage> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  let header: { readonly width: number; readonly height: number; readonly length: number } | undefined;
  for await (const chunk of stream) {
    waiting.push(chunk);
    bytes += chunk.length;
    for (;;) {
      if (header === undefined) {
        if (waiting.length > 1) waiting = [Buffer.concat(waiting)];
        header = headerOf(waiting[0] ?? Buffer.alloc(0), source, maxPixels);
        if (header === undefined) break;
      }
      const { width, height, length } = header;
      const size = width * height * 3;
      if (bytes < length + size) break;
      const whole = Buffer.concat(waiting);
      const data = new Uint8Array(size);
      whole.copy(data, 0, length, length + size);
      waiting = [whole.subarray(length + size)];
      bytes -= length + size;
      header = undefined;
      yield { width, height, channels: 3, data };
    }
  }
}

const headerOf = (bytes: Buffer, source: string, maxPixels: number) => {
  const text = bytes.subarray(0, MAX_HEADER_BYTES).toString('latin1');
  const [whole, width, height] = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(text) ?? [];
  if (whole === undefined) {
    if (text.length < MAX_HEADER_BYTES) return undefined;
    throw new MdetrError(`${source}: ffmpeg gave no frames`);
  }
  if (Number(width) * Number(height) > maxPixels)
    throw new MdetrError(`${source}: frames of ${width!}x${height!} have more pixels than the limit of ${maxPixels}`);
  return { width: Number(width), height: Number(height), length: whole.length };
};

/** Pulls values of a source before they are needed. */
const decodedAhead = <T>(source: AsyncGenerator<T>) => {
  const pulled: { readonly value: Promise<IteratorResult<T, unknown>>; isReady: boolean }[] = [];
  let last: Promise<unknown> = Promise.resolve();
  const pull = (): void => {
    const value = last.then(() => source.next());
    const entry = { value, isReady: false };
    last = value.then(
      () => (entry.isReady = true),
      () => (entry.isReady = true),
    );
    value.catch(() => undefined);
    pulled.push(entry);
  };
  return {
    async take(): Promise<{ next: IteratorResult<T, unknown>; wasReady: boolean }> {
      while (pulled.length < FRAMES_AHEAD) pull();
      const entry = pulled.shift()!;
      const wasReady = entry.isReady;
      const next = await entry.value;
      if (next.done !== true) pull();
      return { next, wasReady };
    },
  };
};
