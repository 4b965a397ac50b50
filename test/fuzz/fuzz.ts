import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FuzzMessage, FuzzTask } from './child.ts';
import type { Outcome } from './inputs.ts';

/** Results of one reader. */
export interface ReaderReport {
  inputs: number;
  accepted: number;
  refused: number;
  slowestMs: number;
}

export interface FuzzReport {
  readonly readers: ReadonlyMap<string, ReaderReport>;
  readonly faults: readonly Outcome[];
  readonly inputs: number;
  readonly seconds: number;
}

export interface FuzzOptions {
  readonly seed: number;
  readonly readers: readonly string[];
  /** Number of inputs, of all readers together. */
  readonly inputs: number;
  /** Time limit; what was read until then is reported. */
  readonly seconds?: number | undefined;
  readonly onFault?: ((fault: Outcome) => void) | undefined;
}

const MAX_INPUT_MS = 5000;
/** Time in which the process must have made its seeds. */
const MAX_START_MS = 60_000;
/** Runs that end early before the fuzzer gives up: a fault that every input has needs no more examples. */
const MAX_RESTARTS = 50;

/** Reads mutated inputs in a process of its own, which is started again after an input that ends or blocks it. */
export const fuzz = async (options: FuzzOptions): Promise<FuzzReport> => {
  const begin = performance.now();
  const deadline = options.seconds === undefined ? Infinity : begin + 1000 * options.seconds;
  const readers = new Map<string, ReaderReport>(
    options.readers.map((name) => [name, { inputs: 0, accepted: 0, refused: 0, slowestMs: 0 }]),
  );
  const faults: Outcome[] = [];
  const record = (outcome: Outcome): void => {
    const report = readers.get(outcome.reader)!;
    report.inputs += 1;
    if (outcome.status === 'accepted') report.accepted += 1;
    if (outcome.status === 'refused') report.refused += 1;
    report.slowestMs = Math.max(report.slowestMs, outcome.durationMs);
    if (outcome.status !== 'fault') return;
    faults.push(outcome);
    options.onFault?.(outcome);
  };
  let first = 0;
  for (let runs = 0; first < options.inputs && runs <= MAX_RESTARTS && performance.now() < deadline; runs++) {
    first = await runChild(
      { seed: options.seed, readers: options.readers, first, end: options.inputs },
      deadline,
      record,
    );
  }
  const inputs = [...readers.values()].reduce((sum, report) => sum + report.inputs, 0);
  return { readers, faults, inputs, seconds: (performance.now() - begin) / 1000 };
};

/** Runs one process until it ends. @returns the index of the first input that was not read */
const runChild = (task: FuzzTask, deadline: number, record: (outcome: Outcome) => void): Promise<number> =>
  new Promise((resolve) => {
    const child = fork(fileURLToPath(new URL('./child.ts', import.meta.url)), {
      execArgv: ['--import', 'tsx', '--no-warnings'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    let next = task.first;
    let reading: { reader: string; index: number; beginMs: number } | undefined;
    let hasEnded = false;
    let isLate = false;
    const startMs = performance.now();
    const watch = setInterval(() => {
      const now = performance.now();
      isLate ||= reading === undefined ? now - startMs > MAX_START_MS : now - reading.beginMs > MAX_INPUT_MS;
      if (isLate || now > deadline) child.kill('SIGKILL');
    }, 100);
    child.on('message', (message: FuzzMessage) => {
      if (message.type === 'begin') {
        reading = { ...message, beginMs: performance.now() };
      } else if (message.type === 'outcome') {
        reading = reading && { ...reading, beginMs: Infinity };
        next = message.outcome.index + 1;
        record(message.outcome);
      } else hasEnded = true;
    });
    child.on('close', () => {
      clearInterval(watch);
      const isBetween = reading === undefined || reading.index < next;
      if (!hasEnded && (isLate || performance.now() <= deadline)) {
        if (isBetween) throw new Error('internal: the process of the fuzzer ended between two inputs');
        const { reader, index, beginMs } = reading!;
        const durationMs = performance.now() - beginMs;
        record({ reader, index, status: 'fault', durationMs, kind: isLate ? 'hang' : 'crash' });
        next = index + 1;
      }
      resolve(hasEnded ? task.end : next);
    });
    child.send(task);
  });

/** Table of a report, a line per reader. */
export const reportText = ({ readers, faults, inputs, seconds }: FuzzReport): string => {
  const lines = ['reader               inputs  accepted   refused    faults  slowest'];
  for (const [name, report] of readers) {
    const found = faults.filter(({ reader }) => reader === name).length;
    const columns = [report.inputs, report.accepted, report.refused, found].map((value) => String(value).padStart(8));
    lines.push(`${name.padEnd(19)}${columns.join('  ')}  ${report.slowestMs.toFixed(0).padStart(4)} ms`);
  }
  lines.push(`${inputs} inputs in ${seconds.toFixed(1)} s (${Math.round(inputs / seconds)} a second)`);
  return lines.join('\n');
};
