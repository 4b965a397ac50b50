import { fork, type ChildProcess } from 'node:child_process';
import { restoredError } from '../../threads/thread-failure.ts';
import { forkArguments } from '../../threads/worker-module.ts';
import type {
  FromWorker,
  ModelDescription,
  PartTimes,
  ToWorker,
  WorkerSettings,
  WorkReport,
} from '../worker/messages.ts';

/** How long a worker may take to end after its channel was closed, in milliseconds. */
const END_MS = 5000;

/** Otherwise V8's space of young objects grows to 48 MB under load, which saves no time. */
const SMALL_YOUNG_SPACE = '--max-semi-space-size=2';

/** Starts the process of a worker. */
const forkWorker = (): ChildProcess => {
  const { path, execArgv } = forkArguments(import.meta.url, '../worker/worker-process');
  return fork(path, [], {
    execArgv: [...execArgv, SMALL_YOUNG_SPACE],
    serialization: 'advanced',
    // Output of native code must not mix with that of the parent.
    stdio: ['ignore', 2, 2, 'ipc'],
  });
};

/** Reports of a worker. */
export interface WorkerEvents {
  readonly onMessage: (message: WorkReport) => void;
  /** The process has ended, intentionally or not. Called once, and never before `opened` is settled. */
  readonly onExit: (reason: string) => void;
}

/** Models of a worker, once they are open. */
export interface OpenedWorker {
  readonly models: readonly ModelDescription[];
  readonly times: readonly PartTimes[];
}

/** An inference process, seen from its parent. */
export class WorkerHandle {
  /** Resolves when the models are open. @throws {MdetrError} if a model cannot be opened; `Error` if the process ends before */
  readonly opened: Promise<OpenedWorker>;
  private readonly child = forkWorker();
  private readonly ended: Promise<void>;

  constructor(settings: WorkerSettings, events: WorkerEvents) {
    const { child } = this;
    let settle: (opened: OpenedWorker) => void;
    let reject: (error: Error) => void;
    this.opened = new Promise<OpenedWorker>((resolve, refuse) => {
      [settle, reject] = [resolve, refuse];
    });
    // Callers that wait for it get the error; without one it must not end the process.
    this.opened.catch(() => undefined);
    child.on('message', (message: FromWorker) => {
      if (message.kind === 'opened') settle(message);
      else if (message.kind === 'unusable') reject(restoredError(message.failure));
      else events.onMessage(message);
    });
    this.ended = new Promise((resolve) => {
      let isOver = false;
      const end = (reason: string): void => {
        if (isOver) return;
        isOver = true;
        reject(new Error(`the worker ended before its models were open: ${reason}`));
        events.onExit(reason);
        resolve();
      };
      child.on('exit', (code, signal) => end(signal === null ? `exit status ${String(code)}` : `signal ${signal}`));
      child.on('error', (error) => {
        // The channel broke, or the process could not be started.
        child.kill('SIGKILL');
        if (child.pid === undefined) end(error.message);
      });
    });
    this.send({ kind: 'open', settings });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  send(message: ToWorker): void {
    // A message to a process that is ending is lost; its exit then fails the request.
    if (this.child.connected) this.child.send(message, () => undefined);
  }

  /** Ends the process: first by closing its channel, then with SIGKILL. */
  async close(): Promise<void> {
    if (this.child.connected) this.child.disconnect();
    const force = setTimeout(() => this.child.kill('SIGKILL'), END_MS);
    await this.ended;
    clearTimeout(force);
  }

  /** Whether the parent's event loop stays alive for the worker. */
  ref(isNeeded: boolean): void {
    if (isNeeded) {
      this.child.ref();
      this.child.channel?.ref();
    } else {
      this.child.unref();
      this.child.channel?.unref();
    }
  }
}
