import { rename, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { MdetrError, UsageError } from '../../errors.ts';
import { removeAbandoned, temporaryPath } from '../../files/temporary-path.ts';
import { ended, FfmpegReport, startFfmpeg, type FfmpegProcess } from './ffmpeg.ts';

/** Rate of a video whose frames have no time between them. */
const DEFAULT_FPS = 25;
/** Number of frames whose times tell the rate of the video. */
const RATE_FRAMES = 16;
/** Maximum rate: videos of screens may have frames a millisecond apart. */
const MAX_FPS = 60;
/** Differences of time up to this factor of the smallest are the same one: many containers round times to milliseconds. */
const SAME_STEP = 1.5;

/** An encoded frame and its time. */
interface EncodedFrame {
  /** Bytes of a PNG. */
  readonly image: Uint8Array;
  readonly timeS: number;
}

/** Rate at which each of the times has a frame of its own, as far as `MAX_FPS` allows. */
export const rateOfTimes = (timesS: readonly number[]): number => {
  const steps = timesS
    .slice(1)
    .map((time, index) => time - timesS[index]!)
    .filter((step) => step > 0);
  if (steps.length === 0) return DEFAULT_FPS;
  const smallest = Math.min(...steps);
  const same = steps.filter((step) => step <= SAME_STEP * smallest);
  return Math.min(MAX_FPS, same.length / same.reduce((sum, step) => sum + step, 0));
};

/**
 * Writes a video from encoded images by the system's ffmpeg; it appears under its name when it is complete. The rate of the video is
 * constant: where frames are further apart, a frame is repeated until the time of the next one.
 */
export class VideoFile {
  private child: FfmpegProcess | undefined;
  private end: Promise<number | MdetrError> | undefined;
  private readonly report = new FfmpegReport();
  private readonly temporary: string;
  /** The first frames, until their times tell the rate. */
  private first: EncodedFrame[] = [];
  private last: EncodedFrame | undefined;
  private startS = 0;
  private fps = DEFAULT_FPS;
  private written = 0;

  /** @throws {UsageError} for another file extension than .mp4, .mkv, .mov and .webm */
  constructor(private readonly path: string) {
    const extension = /\.(mp4|mkv|mov|webm)$/i.exec(path)?.[0];
    if (extension === undefined)
      throw new UsageError(`${path}: a video is written as .mp4, .mkv, .mov or .webm; end its name with one of them`);
    this.temporary = `${temporaryPath(path)}${extension}`;
  }

  /** @param image bytes of a PNG, of the same size for all frames */
  async add(image: Uint8Array, timeS: number): Promise<void> {
    if (this.child !== undefined) return this.place({ image, timeS });
    this.first.push({ image, timeS });
    if (this.first.length === RATE_FRAMES) await this.start();
  }

  async finish(): Promise<void> {
    if (this.child === undefined) {
      if (this.first.length === 0) return;
      await this.start();
    }
    await this.write(this.last!.image);
    this.child!.stdin.end();
    await this.requireSuccess();
    await rename(this.temporary, this.path);
  }

  async abort(): Promise<void> {
    this.child?.kill('SIGKILL');
    await this.end;
    await rm(this.temporary, { force: true });
  }

  private async start(): Promise<void> {
    await removeAbandoned(this.path);
    this.fps = rateOfTimes(this.first.map(({ timeS }) => timeS));
    this.startS = this.first[0]!.timeS;
    // prettier-ignore
    this.child = startFfmpeg([
      '-f', 'image2pipe', '-c:v', 'png', '-framerate', this.fps.toFixed(4), '-i', 'pipe:0',
      // Most players need even sides and this pixel format.
      '-vf', 'pad=ceil(iw/2)*2:ceil(ih/2)*2', '-pix_fmt', 'yuv420p', '-y', `file:${this.temporary}`,
    ]);
    this.end = ended(this.child);
    this.child.stdin.on('error', () => undefined);
    this.child.stdout.resume();
    this.child.stderr.on('data', (chunk: Buffer) => this.report.add(chunk.toString()));
    for (const frame of this.first) await this.place(frame);
    this.first = [];
  }

  /** Repeats the frame before this one until the time of this one; a frame at the same position of the video takes its place. */
  private async place(frame: EncodedFrame): Promise<void> {
    const position = Math.round((frame.timeS - this.startS) * this.fps);
    while (this.last !== undefined && this.written < position) await this.write(this.last.image);
    this.last = frame;
  }

  private async write(image: Uint8Array): Promise<void> {
    const { stdin } = this.child!;
    this.written++;
    if (stdin.destroyed) return this.requireSuccess();
    if (!stdin.write(image)) await Promise.race([once(stdin, 'drain').catch(() => undefined), this.end]);
  }

  private async requireSuccess(): Promise<void> {
    const status = await this.end;
    if (status instanceof MdetrError) throw status;
    if (status !== 0 || this.report.isOutputBroken)
      throw new MdetrError(`${this.path}: ffmpeg could not write the video (${this.report.reason})`);
  }
}
