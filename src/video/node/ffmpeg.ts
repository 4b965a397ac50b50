import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { errorCode, MdetrError } from '../../errors.ts';

/** A running ffmpeg with its three streams. */
export type FfmpegProcess = ChildProcessByStdio<Writable, Readable, Readable>;

const MAX_ERROR_CHARACTERS = 4000;

/** Program that is run: `MDETR_FFMPEG`, else `ffmpeg` of the system. */
const ffmpegProgram = (): string => process.env['MDETR_FFMPEG'] || 'ffmpeg';

/** Starts ffmpeg. A missing program is reported by the process' `error` event; see `missingFfmpeg`. */
export const startFfmpeg = (args: readonly string[]): FfmpegProcess =>
  spawn(ffmpegProgram(), ['-hide_banner', '-nostdin', ...args], { stdio: ['pipe', 'pipe', 'pipe'] });

/** The error for an ffmpeg that cannot be started. */
const missingFfmpeg = (error: unknown): MdetrError =>
  new MdetrError(
    errorCode(error) === 'ENOENT'
      ? `videos need ffmpeg, and "${ffmpegProgram()}" was not found: install it (apt install ffmpeg, brew install ffmpeg), or name it by MDETR_FFMPEG`
      : `"${ffmpegProgram()}" cannot be started (${error instanceof Error ? error.message : String(error)})`,
    { cause: error },
  );

/** Collects what ffmpeg reports, without the lines of `showinfo`. */
export class FfmpegReport {
  private text = '';

  add(line: string): void {
    if (line.includes('Parsed_showinfo')) return;
    this.text = `${this.text}${line}\n`.slice(-MAX_ERROR_CHARACTERS);
  }

  /** Whether ffmpeg failed to complete its output: it ends with status 0 also then, when the disk is full. */
  get isOutputBroken(): boolean {
    return /error (writing trailer|closing file)|no space left/i.test(this.text);
  }

  /** The line that says what was wrong. */
  get reason(): string {
    const lines = this.text.split('\n').map((line) => line.trim());
    const telling = lines.findLast((line) =>
      /invalid|error|no such|no space|could not|failed|unknown|moov|denied|not found|matches no streams/i.test(line),
    );
    return (telling ?? lines.findLast((line) => line !== '') ?? 'no reason given')
      .replace(/^\[[^\]]*\]\s*/, '')
      .slice(0, 200);
  }
}

/** Status of a process at its end: its exit code, or the error that kept it from starting. */
export const ended = (child: FfmpegProcess): Promise<number | MdetrError> =>
  new Promise((resolve) => {
    child.once('error', (error) => resolve(missingFfmpeg(error)));
    child.once('close', (code) => resolve(code ?? 1));
  });
