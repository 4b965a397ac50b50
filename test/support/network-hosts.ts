import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Limits of the network of each host, in both directions. */
export interface NetworkLimits {
  /** Bandwidth in Mbit/s, by a token bucket (`tbf`). */
  readonly mbits?: number;
  /** One-way delay in milliseconds, by `netem`, where the kernel has it. */
  readonly delayMs?: number;
}

/** A network between hosts, as MPI is told about it. */
export interface HostNetwork {
  /** Host file of Open MPI with one slot for each host. */
  readonly hostFile: string;
  readonly subnet: string;
}

const ip = (...args: readonly string[]): void => {
  execFileSync('ip', [...args], { stdio: ['ignore', 'ignore', 'pipe'] });
};

let created = 0;

/** Numbers of the cores that this process may use. */
const allowedCores = (): readonly number[] => {
  const [, list = '0'] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
};

/**
 * Hosts of a network on this machine: network namespaces with host names of their own (`host1`, `host2` …) and addresses
 * 10.77.0.1, 10.77.0.2 …, connected by a bridge in a namespace of its own. Each runs its commands on one core.
 */
export class NetworkHosts {
  /** Program for MPI's remote shell: `PROGRAM ADDRESS COMMAND` runs a command on a host. */
  readonly agent: string;
  /** Host file of Open MPI with one slot for each host. */
  readonly hostFile: string;
  private readonly folder = mkdtempSync(join(tmpdir(), 'mdetr-hosts-'));
  private readonly prefix = `mdetr${process.pid}-${created++}`;

  /** Why such hosts cannot be made here; undefined if they can. */
  static missing(): string | undefined {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs root on Linux';
    for (const [command, flag] of [
      ['ip', '-V'],
      ['tc', '-V'],
      ['unshare', '--version'],
      ['taskset', '--version'],
    ] as const)
      if (spawnSync(command, [flag]).status !== 0) return `needs ${command}`;
    const probe = `mdetr${process.pid}-probe`;
    const commands = [
      ['netns', 'add', probe],
      ['-n', probe, 'link', 'add', 'p0', 'type', 'veth', 'peer', 'name', 'p1'],
      ['-n', probe, 'link', 'add', 'p2', 'type', 'bridge'],
    ];
    const works = commands.every((args) => spawnSync('ip', args).status === 0);
    spawnSync('ip', ['netns', 'del', probe]);
    if (!works) return 'needs network namespaces, veth and bridges';
    return spawnSync('unshare', ['--uts', 'true']).status === 0 ? undefined : 'needs namespaces of host names';
  }

  /** @throws if a command of the system fails */
  constructor(
    readonly count: number,
    limits: NetworkLimits = {},
  ) {
    const bridge = this.nameOf(0);
    ip('netns', 'add', bridge);
    ip('-n', bridge, 'link', 'add', 'br0', 'type', 'bridge');
    ip('-n', bridge, 'link', 'set', 'br0', 'up');
    for (let host = 1; host <= count; host++) {
      const name = this.nameOf(host);
      ip('netns', 'add', name);
      ip('-n', bridge, 'link', 'add', `port${host}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
      ip('-n', bridge, 'link', 'set', `port${host}`, 'master', 'br0', 'up');
      ip('-n', name, 'addr', 'add', `10.77.0.${host}/24`, 'dev', 'eth0');
      for (const link of ['eth0', 'lo']) ip('-n', name, 'link', 'set', link, 'up');
      // Every kernel has Reno; others, such as BBR, treat these short links in their own ways.
      const control = `/proc/sys/net/ipv4/tcp_congestion_control`;
      execFileSync('ip', ['netns', 'exec', name, 'sh', '-c', `echo reno > ${control}`], { stdio: 'ignore' });
    }
    this.limit(limits);
    this.agent = join(this.folder, 'agent.sh');
    // taskset pins a host to a core; with fewer cores than hosts, several share one.
    writeFileSync(
      this.agent,
      `#!/bin/sh
host=\${1##*.}; shift
exec ip netns exec ${this.prefix}-$host unshare --uts \\
  taskset -c $(echo ${allowedCores().join(' ')} | cut -d ' ' -f $(( (host - 1) % ${allowedCores().length} + 1 ))) sh -c "hostname host$host; $*"
`,
    );
    chmodSync(this.agent, 0o755);
    this.hostFile = join(this.folder, 'hosts');
    writeFileSync(this.hostFile, Array.from({ length: count }, (_, i) => `10.77.0.${i + 1} slots=1\n`).join(''));
  }

  /** Changes the limits of all hosts. @throws if the kernel has no `tbf`, or no `netem` */
  limit({ mbits, delayMs }: NetworkLimits): void {
    for (let host = 1; host <= this.count; host++) {
      const name = this.nameOf(host);
      const tc = (...args: readonly string[]): void => {
        execFileSync('tc', ['-n', name, 'qdisc', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
      };
      spawnSync('tc', ['-n', name, 'qdisc', 'del', 'dev', 'eth0', 'root']);
      if (mbits !== undefined)
        tc(
          'add',
          'dev',
          'eth0',
          'root',
          'handle',
          '1:',
          'tbf',
          'rate',
          `${mbits}mbit`,
          'burst',
          '128kb',
          'latency',
          '200ms',
        );
      if (delayMs === undefined) continue;
      const parent = mbits === undefined ? ['root'] : ['parent', '1:1'];
      tc('add', 'dev', 'eth0', ...parent, 'netem', 'delay', `${delayMs}ms`, 'limit', '100000');
    }
  }

  get network(): HostNetwork {
    return { hostFile: this.hostFile, subnet: '10.77.0.0/24' };
  }

  /** Whether the kernel can delay packets. */
  hasNetem(): boolean {
    try {
      this.limit({ delayMs: 1 });
      return true;
    } catch {
      return false;
    } finally {
      this.limit({});
    }
  }

  /**
   * Connects two hosts by a second network, whose packets go through a program that delays them.
   * @param program built from bench/scale/delay-relay.c
   */
  async relay(program: string, delayMs: number): Promise<HostNetwork & { stop(): Promise<void> }> {
    const [first, second] = [this.nameOf(1), this.nameOf(2)];
    const child = spawn(program, [first, second, String(1000 * delayMs)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    const begun = await Promise.race([once(child.stdout, 'data'), ended.then(() => undefined)]);
    if (begun === undefined) throw new Error(`${program} ended with status ${String(child.exitCode)}`);
    for (const [index, name] of [first, second].entries()) {
      ip('-n', name, 'addr', 'add', `10.78.0.${index + 1}/24`, 'dev', 'tun0');
      ip('-n', name, 'link', 'set', 'tun0', 'mtu', '9000', 'txqueuelen', '10000', 'up');
    }
    const stop = async (): Promise<void> => {
      child.kill();
      await ended;
    };
    const hostFile = join(this.folder, 'relay-hosts');
    writeFileSync(hostFile, '10.78.0.1 slots=1\n10.78.0.2 slots=1\n');
    return { hostFile, subnet: '10.78.0.0/24', stop };
  }

  /** Program and arguments that run a command on the first host. */
  onFirst(...command: readonly string[]): readonly [string, readonly string[]] {
    return this.on(1, ...command);
  }

  /** Program and arguments that run a command on a host, from 1. */
  on(host: number, ...command: readonly string[]): readonly [string, readonly string[]] {
    const quoted = command.map((text) => `'${text.replaceAll("'", "'\\''")}'`).join(' ');
    return [this.agent, [`10.77.0.${host}`, quoted]];
  }

  remove(): void {
    for (let host = this.count; host >= 0; host--) spawnSync('ip', ['netns', 'del', this.nameOf(host)]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Namespace of a host, from 1; 0 is that of the bridge. */
  private nameOf(host: number): string {
    return `${this.prefix}-${host}`;
  }
}
