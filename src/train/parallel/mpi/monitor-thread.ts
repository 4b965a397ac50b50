import { writeSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import {
  HUBS,
  linesOf,
  verdictText,
  type HubAddress,
  type MonitorMessage,
  type MonitorNews,
  type MonitorOrder,
  type MonitorTask,
  type Verdict,
} from './monitor-protocol.ts';

/** Beats of a process within the time after which it counts as dead. */
const BEATS_PER_LIMIT = 10;
/** Reason for a connection that ended without a farewell. */
const HAS_ENDED = 'its process has ended';
/** Time limit for connecting to the hubs. */
const CONNECT_MS = 30_000;
/** Time that the first thread has to end after a failure, before the monitor ends the process. */
const END_MS = 10_000;
/** Time for the second hub to report the failure of the first. */
const SECOND_OPINION_MS = 3_000;

/** A process as a hub sees it. */
interface Member {
  readonly socket: Socket;
  readonly host: string;
  lastMs: number;
  hasLeft: boolean;
}

/**
 * Watches over a group of processes, on a thread of its own so that long work of the first thread does not look like death.
 * The first two processes are hubs: all others connect to both and send beats; a hub sends beats back. A process that misses
 * the beats of another, or loses its connection, ends the group.
 */
class Monitor {
  private readonly members = new Map<number, Member>();
  private readonly hubs = new Map<number, { readonly hub: HubAddress; readonly socket: Socket; lastMs: number }>();
  private server: Server | undefined;
  private verdict: Verdict | undefined;
  private isLeaving = false;
  private lastBeatMs = Date.now();

  constructor(
    private readonly port: MessagePort,
    private readonly task: MonitorTask,
  ) {
    port.on('message', (order: MonitorOrder) => {
      if (order.kind === 'connect') void this.connectAll(order.hubs);
      else if (order.kind === 'fail') this.report(order.reason);
      else this.leave();
    });
    if (task.rank < HUBS) this.listen();
    else this.tell({ kind: 'listening', port: 0 });
    setInterval(() => this.beat(), task.deadAfterMs / BEATS_PER_LIMIT);
  }

  private tell(news: MonitorNews): void {
    this.port.postMessage(news);
  }

  private listen(): void {
    this.server = createServer((socket) => this.accept(socket));
    this.server.on('error', (error) => this.tell({ kind: 'refused', reason: error.message }));
    this.server.listen(0, () => {
      const address = this.server!.address();
      this.tell({ kind: 'listening', port: typeof address === 'object' && address !== null ? address.port : 0 });
    });
  }

  /** A connection to this hub. */
  private accept(socket: Socket): void {
    let rank: number | undefined;
    const drop = (): void => void socket.destroy();
    socket.setEncoding('utf8').on('error', () => undefined);
    const onLine = linesOf((line) => {
      const message = parsed(line);
      if (message === undefined) {
        drop();
        return;
      }
      if (rank === undefined) {
        if (message.kind !== 'hello' || message.token !== this.task.token) {
          drop();
          return;
        }
        rank = message.rank;
        this.members.set(rank, { socket, host: message.host, lastMs: Date.now(), hasLeft: false });
        return;
      }
      const member = this.members.get(rank);
      if (member === undefined) {
        drop();
        return;
      }
      member.lastMs = Date.now();
      if (message.kind === 'bye') member.hasLeft = true;
      else if (message.kind === 'failed') this.decide(rank, message.reason, false);
    });
    socket.on('data', (chunk: string) => {
      try {
        onLine(chunk);
      } catch {
        drop();
      }
    });
    socket.on('close', () => {
      if (rank !== undefined && this.members.get(rank)?.hasLeft === false) this.decide(rank, HAS_ENDED, true);
    });
  }

  private async connectAll(hubs: readonly HubAddress[]): Promise<void> {
    try {
      for (const hub of hubs) if (hub.rank !== this.task.rank) await this.connectTo(hub);
      this.tell({ kind: 'connected' });
    } catch (error) {
      this.tell({ kind: 'refused', reason: String(error instanceof Error ? error.message : error) });
    }
  }

  private async connectTo(hub: HubAddress): Promise<void> {
    const { rank, host, token } = this.task;
    const socket = await connected(hub, host);
    const entry = { hub, socket, lastMs: Date.now() };
    this.hubs.set(hub.rank, entry);
    const onLine = linesOf((line) => {
      const message = parsed(line);
      entry.lastMs = Date.now();
      if (message?.kind === 'end') this.end(message.verdict);
    });
    socket.setEncoding('utf8').on('data', onLine);
    socket.on('error', () => undefined);
    socket.on('close', () => this.suspect(hub, HAS_ENDED));
    send(socket, { kind: 'hello', rank, host, token });
  }

  private beat(): void {
    const { deadAfterMs } = this.task;
    const now = Date.now();
    // This process itself was stopped and continued: the others were not silent, and may have decided already.
    const wasStopped = now - this.lastBeatMs > deadAfterMs / 2;
    this.lastBeatMs = now;
    if (wasStopped) for (const seen of [...this.members.values(), ...this.hubs.values()]) seen.lastMs = now;
    const silent = `no sign of life for ${Math.round(deadAfterMs / 1000)} s`;
    for (const { socket } of this.hubs.values()) send(socket, { kind: 'beat' });
    for (const [rank, { socket, lastMs, hasLeft }] of this.members) {
      if (!hasLeft) send(socket, { kind: 'beat' });
      if (!hasLeft && now - lastMs > deadAfterMs) this.decide(rank, silent, true);
    }
    for (const { hub, lastMs } of this.hubs.values()) if (now - lastMs > deadAfterMs) this.suspect(hub, silent);
  }

  /** A hub is lost. The other hub decides; if that is lost as well, every process reports it. */
  private suspect({ rank, host }: HubAddress, reason: string): void {
    if (this.isLeaving || this.verdict !== undefined) return;
    setTimeout(() => {
      if (!this.isLeaving) this.end({ rank, host, reason, speaker: this.task.rank });
    }, SECOND_OPINION_MS);
  }

  /** The first thread of this process has failed. */
  private report(reason: string): void {
    if (this.task.rank < HUBS) {
      this.decide(this.task.rank, reason, false);
      return;
    }
    for (const { socket } of this.hubs.values()) send(socket, { kind: 'failed', reason });
  }

  /** Ends the group, for a hub, because of one process, which is dead or has failed by itself. */
  private decide(rank: number, reason: string, isDead: boolean): void {
    if (this.verdict !== undefined || this.isLeaving) return;
    const { size, deadAfterMs, rank: own, host } = this.task;
    const now = Date.now();
    const lives = (other: number): boolean => {
      if (other === own) return true;
      const seen = this.members.get(other) ?? this.hubs.get(other);
      return seen !== undefined && now - seen.lastMs < deadAfterMs / 2 && !(isDead && other === rank);
    };
    const speaker = Array.from({ length: size }, (_, other) => other).find(lives) ?? own;
    this.end({ rank, host: rank === own ? host : this.members.get(rank)?.host, reason, speaker });
  }

  private end(verdict: Verdict): void {
    if (this.verdict !== undefined) return;
    this.verdict = verdict;
    for (const { socket } of this.members.values()) send(socket, { kind: 'end', verdict });
    this.tell({ kind: 'end', verdict });
    setTimeout(() => {
      // The first thread is stuck in a computation, or in a call into MPI that never returns.
      if (verdict.speaker === this.task.rank) writeSync(2, `mdetr: ${verdictText(verdict, this.task.size)}\n`);
      process.kill(process.pid, 'SIGKILL');
    }, END_MS);
  }

  private leave(): void {
    this.isLeaving = true;
    for (const { socket } of this.hubs.values()) send(socket, { kind: 'bye' });
    this.tell({ kind: 'left' });
  }
}

const send = (socket: Socket, message: MonitorMessage): void => {
  if (!socket.destroyed && socket.writable) socket.write(`${JSON.stringify(message)}\n`);
};

const parsed = (line: string): MonitorMessage | undefined => {
  try {
    const value = JSON.parse(line) as MonitorMessage | null;
    return typeof value === 'object' && value !== null && typeof value.kind === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
};

/** Connects to a hub by one of its addresses; on its own host also by the loopback address. */
const connected = async (hub: HubAddress, ownHost: string): Promise<Socket> => {
  const addresses = hub.host === ownHost ? ['127.0.0.1', ...hub.addresses] : hub.addresses;
  const deadline = Date.now() + CONNECT_MS;
  let last = 'it has no address';
  while (Date.now() < deadline)
    for (const address of addresses) {
      const socket = connect({ host: address, port: hub.port, noDelay: true });
      const outcome = await new Promise<string | undefined>((resolve) => {
        const timer = setTimeout(() => resolve('no answer'), 3000);
        const settle = (problem: string | undefined): void => {
          clearTimeout(timer);
          resolve(problem);
        };
        socket.once('connect', () => settle(undefined));
        socket.once('error', (error) => settle(error.message));
      });
      if (outcome === undefined) return socket;
      socket.destroy();
      last = `${address}: ${outcome}`;
    }
  throw new Error(`process ${hub.rank} on ${hub.host} cannot be reached (${last})`);
};

if (parentPort !== null) new Monitor(parentPort, workerData as MonitorTask);
