import { rename, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { MdetrError, UsageError } from '../../errors.ts';
import { removeAbandoned, temporaryPath } from '../../files/temporary-path.ts';
import { ended, FfmpegReport, startFfmpeg, type FfmpegProcess } from './ffmpeg.ts';

/** Rate of a video whose frames have no time between them. */
const DEFAULT_FPS = 25;

/** Writes a video from encoded images by the system's ffmpeg; it appears under its name when it is complete. */
export class VideoFile {
  private child: FfmpegProcess | undefined;
  private end: Promise<number | MdetrError> | undefined;
  private readonly report = new FfmpegReport();
  private readonly temporary: string;
  /** The first frame, until the time of the second one tells the rate. */
  private first: { readonly image: Uint8Array; readonly timeS: number } | undefined;

  /** @throws {UsageError} for another file extension than .mp4, .mkv, .mov and .webm */
  constructor(private readonly path: string) {
    const extension = /\.(mp4|mkv|mov|webm)$/i.exec(path)?.[0];
    if (extension === undefined)
      throw new UsageError(`${path}: a video is written as .mp4, .mkv, .mov or .webm; end its name with one of them`);
    this.temporary = `${temporaryPath(path)}${extension}`;
  }

  /** @param image bytes of a PNG, of the same size for all frames */
  async add(image: Uint8Array, timeS: number): Promise<void> {
    if (this.child === undefined) {
      if (this.first === undefined) {
        this.first = { image, timeS };
        return;
      }
      const passed = timeS - this.first.timeS;
      await this.start(passed > 0 ? 1 / passed : DEFAULT_FPS);
    }
    await this.write(image);
  }

  async finish(): Promise<void> {
    if (this.child === undefined) {
      if (this.first === undefined) return;
      await this.start(DEFAULT_FPS);
    }
    this.child!.stdin.end();
    await this.requireSuccess();
    await rename(this.temporary, this.path);
  }

  async abort(): Promise<void> {
    this.child?.kill('SIGKILL');
    await this.end;
    await rm(this.temporary, { force: true });
  }

  private async start(fps: number): Promise<void> {
    await removeAbandoned(this.path);
    // prettier-ignore
    this.child = startFfmpeg([
      '-f', 'image2pipe', '-c:v', 'png', '-framerate', fps.toFixed(4), '-i', 'pipe:0',
      // Most players need even sides and this pixel format.
      '-vf', 'pad=ceil(iw/2)*2:ceil(ih/2)*2', '-pix_fmt', 'yuv420p', '-y', `file:${this.temporary}`,
    ]);
    this.end = ended(this.child);
    this.child.stdin.on('error', () => undefined);
    this.child.stdout.resume();
    this.child.stderr.on('data', (chunk: Buffer) => this.report.add(chunk.toString()));
    const { image } = this.first!;
    await this.write(image);
  }

  private async write(image: Uint8Array): Promise<void> {
    const { stdin } = this.child!;
    if (stdin.destroyed) return this.requireSuccess();
    if (!stdin.write(image)) await Promise.race([once(stdin, 'drain').catch(() => undefined), this.end]);
  }

  private async requireSuccess(): Promise<void> {
    const status = await this.end;
    if (status instanceof MdetrError) throw status;
    if (status !== 0) throw new MdetrError(`${this.path}: ffmpeg could not write the video (${this.report.reason})`);
  }
}
