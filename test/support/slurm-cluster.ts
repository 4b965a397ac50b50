import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { availableParallelism, hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
};

/** A Slurm cluster of this machine, on loopback, with a configuration of its own. */
export class SlurmCluster {
  /** Variables with which Slurm's commands find the cluster. */
  readonly env: NodeJS.ProcessEnv;

  private constructor(
    private readonly folder: string,
    private readonly daemons: readonly ChildProcess[],
  ) {
    this.env = { ...process.env, SLURM_CONF: join(folder, 'slurm.conf') };
  }

  /** Why no cluster can be started here; undefined if one can. */
  static missing(): string | undefined {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs root on Linux';
    // Without a configuration, the programs wait for one before they print their version.
    for (const command of ['slurmctld', 'slurmd', 'sbatch', 'srun', 'sinfo'])
      if (spawnSync('sh', ['-c', `command -v ${command}`]).status !== 0)
        return `needs ${command} (packages slurmctld, slurmd and slurm-client)`;
    return undefined;
  }

  /** Starts the daemons and waits for the node. @throws with their logs if it is not ready within a minute */
  static async start(): Promise<SlurmCluster> {
    const folder = mkdtempSync(join(tmpdir(), 'mdetr-slurm-'));
    for (const name of ['state', 'spool']) mkdirSync(join(folder, name));
    const [host] = hostname().split('.');
    const [control, node] = [await freePort(), await freePort()];
    writeFileSync(
      join(folder, 'slurm.conf'),
      `ClusterName=mdetr
SlurmctldHost=${host!}(127.0.0.1)
SlurmctldPort=${control}
SlurmdPort=${node}
AuthType=auth/none
CredType=cred/none
SlurmUser=root
SlurmdUser=root
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd.pid
SlurmctldLogFile=${folder}/slurmctld.log
SlurmdLogFile=${folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SlurmdParameters=config_overrides
NodeName=${host!} NodeAddr=127.0.0.1 CPUs=${Math.max(2, availableParallelism())} RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
`,
    );
    const env = { ...process.env, SLURM_CONF: join(folder, 'slurm.conf') };
    const daemons = ['slurmctld', 'slurmd'].map((command) => spawn(command, ['-D'], { env, stdio: 'ignore' }));
    const cluster = new SlurmCluster(folder, daemons);
    for (let attempt = 0; attempt < 120; attempt++) {
      const { stdout } = spawnSync('sinfo', ['--noheader', '-o', '%T'], { env, encoding: 'utf8' });
      if (stdout.trim() === 'idle') return cluster;
      await setTimeout(500);
    }
    const logs = ['slurmctld', 'slurmd'].map((name) => cluster.logOf(name)).join('\n');
    await cluster.stop();
    throw new Error(`Slurm is not ready: ${logs}`);
  }

  /** Ends the daemons and removes their files. */
  async stop(): Promise<void> {
    for (const daemon of [...this.daemons].reverse()) {
      if (daemon.exitCode !== null || daemon.signalCode !== null) continue;
      const ended = once(daemon, 'exit');
      daemon.kill('SIGTERM');
      await Promise.race([ended, setTimeout(5000)]);
      daemon.kill('SIGKILL');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  private logOf(name: string): string {
    try {
      return readFileSync(join(this.folder, `${name}.log`), 'utf8').slice(-1000);
    } catch {
      return `${name} wrote no log`;
    }
  }
}
