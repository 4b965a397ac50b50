import { Presets, SingleBar } from 'cli-progress';
import { describePlacement } from '../../engine/runtime/placement.ts';
import type { LogEntry } from '../../train/run/run-log.ts';
import type { RunObserver, RunSummary } from '../../train/run/run-observer.ts';
import { note } from './print.ts';

/** Minimum time between progress lines if stderr is not a terminal. */
const LINE_INTERVAL_MS = 30_000;

/** Progress of a training run on stderr: a bar on a terminal, otherwise a line every 30 seconds. */
export class TrainingProgress implements RunObserver {
  private bar: SingleBar | undefined;
  private entry: LogEntry | undefined;
  private lastLineMs = 0;
  private run = { steps: 0, done: 0, startedMs: 0 };

  /** Observed only if asked for, because it slows down the first step. */
  readonly onPlacement: RunObserver['onPlacement'];

  /**
   * @param onSummary prints the summary of a training stage
   * @param isVerbose prints what runs on the CPU instead of the device
   */
  constructor(
    private readonly onSummary: (summary: RunSummary) => void,
    isVerbose = false,
  ) {
    this.onPlacement = isVerbose ? (placement) => this.say(describePlacement(placement)) : undefined;
  }

  onStage({ name, index, count }: { readonly name: string; readonly index: number; readonly count: number }): void {
    note(`stage ${name} (${index + 1} of ${count})`);
  }

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
    if (Date.now() - this.lastLineMs < LINE_INTERVAL_MS) return;
    this.lastLineMs = Date.now();
    const { steps, done, startedMs } = this.run;
    const leftS = ((Date.now() - startedMs) / 1000) * ((steps - entry.step) / Math.max(1, entry.step - done));
    note(
      `step ${entry.step}/${steps} loss ${entry.loss.toFixed(3)} ${speed}, ${duration(leftS)} left | ${rates} | ${time}`,
    );
  }

  onValidation(metrics: Readonly<Record<string, number>>, isBest: boolean): void {
    const values = Object.entries(metrics).map(([name, value]) => `${name} ${value.toFixed(4)}`);
    this.say(`validation${isBest ? ' (best so far)' : ''}: ${values.join(', ')}`);
  }

  /** Progress of a validation, on a terminal only. */
  onValidationProgress(set: string, done: number, total: number): void {
    if (this.bar === undefined) return;
    process.stderr.write(`\r\u001b[2Kvalidating ${set}: ${done}/${total}${done === total ? '\n' : ''}`);
  }

  onNote(text: string): void {
    this.say(text);
  }

  onStageEnd(summary: RunSummary): void {
    this.stop();
    this.onSummary(summary);
  }

  stop(): void {
    this.bar?.stop();
    this.bar = undefined;
  }

  private say(text: string): void {
    // The bar is redrawn below the message.
    if (this.bar !== undefined) process.stderr.write('\r\u001b[2K');
    note(text);
  }
}

const describe = (entry: LogEntry): { readonly speed: string; readonly rates: string; readonly time: string } => {
  const { lr, lr_backbone, text_encoder_lr, images_per_s, time } = entry;
  const fractions = Object.entries(time).map(([name, fraction]) => `${name} ${Math.round(fraction * 100)}%`);
  return {
    speed: `${images_per_s.toFixed(1)} images/s`,
    rates: `lr ${[lr, lr_backbone, text_encoder_lr].map((rate) => rate.toExponential(1)).join(' ')}`,
    time: fractions.join(' '),
  };
};

const duration = (seconds: number): string => {
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
};

/**
 * Text for a run that was told to stop.
 *
 * @param resume the command that resumes it
 */
export const stoppedText = (steps: number, resume: string): string => {
  const [where, verb] =
    steps === 0 ? ['before the first step', 'Start'] : [`after step ${steps}, everything is saved`, 'Resume'];
  return `stopped ${where}. ${verb} with:\n  ${resume}`;
};
