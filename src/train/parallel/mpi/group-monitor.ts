import { randomBytes } from 'node:crypto';
import { hostname, networkInterfaces } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { MdetrError } from '../../../errors.ts';
import { startWorker } from '../../../threads/worker-thread.ts';
import { gatherStrings, type Communicator } from '../communicator.ts';
import { GroupEnded } from '../group-ended.ts';
import { TransferError } from './mpi-library.ts';
import type { GroupWatch } from './waiting.ts';
import {
  HUBS,
  verdictText,
  type HubAddress,
  type MonitorNews,
  type MonitorOrder,
  type MonitorTask,
} from './monitor-protocol.ts';

/** A process without a beat for this time counts as dead. Tests shorten it. */
const DEAD_AFTER_MS = 20_000;
/** Delay before the processes that do not report a failure end: launchers kill all when the first one ends. */
const SPEAK_FIRST_MS = 2_000;
/** Time to wait for news of another process's end after a transfer has failed. */
const OTHERS_REASON_MS = 3_000;
/** Time to wait for the group's verdict on a failure of this process. */
const VERDICT_MS = 5_000;

/** This process's view of whether the others live. */
export class GroupMonitor implements GroupWatch {
  private ended: GroupEnded | undefined;
  private readonly waiting = new Map<MonitorNews['kind'], (news: MonitorNews) => void>();

  private constructor(
    private readonly worker: Worker,
    private readonly place: { readonly rank: number; readonly size: number },
  ) {
    worker.on('message', (news: MonitorNews) => {
      if (news.kind === 'end') {
        const { verdict } = news;
        this.ended = new GroupEnded(verdictText(verdict, place.size), verdict.speaker !== place.rank);
      }
      this.waiting.get(news.kind)?.(news);
    });
  }

  /**
   * Connects the monitors of all processes.
   * @throws {MdetrError} if a process cannot be reached
   */
  static async start(communicator: Communicator): Promise<GroupMonitor> {
    const { rank, size } = communicator;
    const secret = rank === 0 ? randomBytes(16).toString('hex') : '';
    const [token] = await gatherStrings(communicator, secret);
    const deadAfterMs = Number(process.env['MDETR_DEAD_AFTER_MS'] ?? DEAD_AFTER_MS);
    const task: MonitorTask = { rank, size, host: hostname(), token: token!, deadAfterMs };
    const worker = startWorker(import.meta.url, './monitor-thread', { workerData: task });
    const monitor = new GroupMonitor(worker, { rank, size });
    try {
      await monitor.connect(communicator);
      return monitor;
    } catch (error) {
      await worker.terminate();
      throw error;
    }
  }

  private async connect(communicator: Communicator): Promise<void> {
    const { rank } = communicator;
    const { port } = await this.nextOrRefusal('listening');
    const own: HubAddress = { rank, host: hostname(), addresses: ownAddresses(), port };
    const hubs = await gatherStrings(communicator, rank < HUBS ? JSON.stringify(own) : '');
    this.order({ kind: 'connect', hubs: hubs.map((text) => JSON.parse(text) as HubAddress) });
    await this.nextOrRefusal('connected');
    await communicator.barrier();
  }

  check(): void {
    if (this.ended !== undefined) throw this.ended;
  }

  /** Tells the group that this process fails. @returns the error to end with */
  async fail(error: Error): Promise<Error> {
    const verdict = this.next('end');
    // A transfer that fails is often the first sign that another process is dead: then its end is the reason.
    if (error instanceof TransferError) await this.verdictWithin(verdict, OTHERS_REASON_MS);
    if (this.ended === undefined) {
      this.order({ kind: 'fail', reason: error.message });
      await this.verdictWithin(verdict, VERDICT_MS);
    }
    const ended = this.ended ?? error;
    if (ended instanceof GroupEnded && ended.isReported) await setTimeout(SPEAK_FIRST_MS);
    await this.worker.terminate();
    return ended;
  }

  /** Leaves the group; from then on the end of another process is no failure. */
  async leave(communicator: Communicator): Promise<void> {
    await communicator.barrier();
    const left = this.next('left');
    this.order({ kind: 'leave' });
    await left;
    await communicator.barrier();
    await this.worker.terminate();
  }

  private async verdictWithin(verdict: Promise<unknown>, milliseconds: number): Promise<void> {
    if (this.ended === undefined) await Promise.race([verdict, setTimeout(milliseconds)]);
  }

  private order(order: MonitorOrder): void {
    this.worker.postMessage(order);
  }

  private next<K extends MonitorNews['kind']>(kind: K): Promise<Extract<MonitorNews, { kind: K }>> {
    return new Promise((resolve) => this.waiting.set(kind, resolve as (news: MonitorNews) => void));
  }

  /** The next message of a kind from the monitor thread. @throws {MdetrError} if the monitor cannot listen, or reach another process */
  private async nextOrRefusal<K extends MonitorNews['kind']>(kind: K): Promise<Extract<MonitorNews, { kind: K }>> {
    const refusal = this.next('refused').then(({ reason }) => {
      throw new MdetrError(
        `process ${this.place.rank}: ${reason}; the processes of a training must reach each other by TCP to notice failures`,
      );
    });
    return Promise.race([this.next(kind), refusal]);
  }
}

const ownAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap((all) =>
    // Link-local addresses are not valid on other interfaces.
    (all ?? []).filter(({ internal, address }) => !internal && !/^fe80:/i.test(address)).map(({ address }) => address),
  );
