import { Presets, SingleBar } from 'cli-progress';
import type { LogEntry } from '../../train/run/run-log.ts';
import type { RunObserver } from '../../train/run/training-run.ts';
import { note } from './progress.ts';
import type { ValidationObserver } from '../../train/run/validation.ts';

/** In a file or a pipe, a line now and then. */
const lineEveryMs = 30_000;

/** How a training goes, on stderr: a bar on a terminal, else a line now and then. */
export class TrainingProgress implements RunObserver, ValidationObserver {
  private bar: SingleBar | undefined;
  private entry: LogEntry | undefined;
  private lastLineMs = 0;
  private run = { steps: 0, done: 0, startedMs: 0 };

  onStart({ steps, done }: { readonly steps: number; readonly done: number }): void {
    this.run = { steps, done, startedMs: Date.now() };
    if (!process.stderr.isTTY) return;
    this.bar = new SingleBar(
      {
        stream: process.stderr,
        format: '{bar} {value}/{total} loss {loss} {speed}, {eta_formatted} left | {rates} | {time}',
        hideCursor: true,
        barsize: 16,
        fps: 4,
        etaBuffer: 50,
        stopOnComplete: true,
      },
      Presets.shades_classic,
    );
    this.bar.start(steps, done, { loss: '-', speed: '', rates: '', time: '' });
  }

  onStep(step: number, loss: number): void {
    this.bar?.update(step, { loss: loss.toFixed(3) });
  }

  onLog(entry: LogEntry): void {
    this.entry = entry;
    const { speed, rates, time } = describe(entry);
    if (this.bar !== undefined) {
      this.bar.update({ speed, rates, time });
      return;
    }
    if (Date.now() - this.lastLineMs < lineEveryMs) return;
    this.lastLineMs = Date.now();
    const { steps, done, startedMs } = this.run;
    const leftS = ((Date.now() - startedMs) / 1000) * ((steps - entry.step) / Math.max(1, entry.step - done));
    note(
      `step ${entry.step}/${steps} loss ${entry.loss.toFixed(3)} ${speed}, ${duration(leftS)} left | ${rates} | ${time}`,
    );
  }

  onValidation(metrics: Readonly<Record<string, number>>, isBest: boolean): void {
    const numbers = Object.entries(metrics).map(([name, value]) => `${name} ${value.toFixed(4)}`);
    this.say(`validation${isBest ? ' (best so far)' : ''}: ${numbers.join(', ')}`);
  }

  /** How far a validation is; on a terminal only. */
  onProgress(what: string, done: number, total: number): void {
    if (this.bar === undefined) return;
    process.stderr.write(`\r\u001b[2Kvalidating ${what}: ${done}/${total}${done === total ? '\n' : ''}`);
  }

  onNote(text: string): void {
    this.say(text);
  }

  stop(): void {
    this.bar?.stop();
    this.bar = undefined;
  }

  private say(text: string): void {
    // A terminal's bar is written again below.
    if (this.bar !== undefined) process.stderr.write('\r\u001b[2K');
    note(text);
  }
}

const describe = (entry: LogEntry): { readonly speed: string; readonly rates: string; readonly time: string } => {
  const { lr, lr_backbone, text_encoder_lr, images_per_s, time } = entry;
  const shares = Object.entries(time).map(([name, share]) => `${name} ${Math.round(share * 100)}%`);
  return {
    speed: `${images_per_s.toFixed(1)} images/s`,
    rates: `lr ${[lr, lr_backbone, text_encoder_lr].map((rate) => rate.toExponential(1)).join(' ')}`,
    time: shares.join(' '),
  };
};

const duration = (seconds: number): string => {
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
};
