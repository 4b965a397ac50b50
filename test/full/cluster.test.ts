import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Job } from 'kubernetes-models/batch/v1';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { NetworkHosts } from '../support/network-hosts.ts';
import { runDifference } from '../support/run-difference.ts';
import { projectRoot } from '../support/run-mdetr.ts';
import { SlurmCluster } from '../support/slurm-cluster.ts';
import { smallValues } from '../support/small-run.ts';

vi.setConfig({ testTimeout: 280_000, hookTimeout: 280_000 });

const root = mkdtempSync(join(tmpdir(), 'mdetr-cluster-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const deploy = (name: string): string => join(projectRoot, 'deploy', name);
const main = join(projectRoot, 'dist/cli/main.js');
const env = {
  ...process.env,
  MDETR: `${process.execPath} ${main}`,
  OMPI_ALLOW_RUN_AS_ROOT: '1',
  OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1',
};

/** Writes the config of a short run of four batches a step, with a folder of its own. */
const configOf = (name: string): { readonly file: string; readonly folder: string } => {
  const folder = join(root, name);
  const file = `${folder}.json`;
  const own = { max_steps: 3, accumulate: 4, batch_size: 1, schedule: 'step', output_dir: folder };
  writeFileSync(file, JSON.stringify({ ...smallValues, ...own }));
  return { file, folder };
};

interface Ended {
  readonly status: number | null;
  readonly output: string;
}
const run = (command: string, args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, env: { ...env, ...more } });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, output }));
  });

// Without mpirun, stdout is null.
const hasOpenMpi = String(spawnSync('mpirun', ['--version']).stdout).includes('Open MPI');
const noMpi = hasOpenMpi ? undefined : 'needs Open MPI';
const titled = (text: string, missing: string | undefined): string =>
  missing === undefined ? text : `${text} (skipped: ${missing})`;

/** Folder of the same run by one process with as many replicas on threads. */
let replicas = '';
beforeAll(async () => {
  if (!hasOpenMpi) return;
  const { file, folder } = configOf('replicas');
  const ended = await run(process.execPath, [main, 'train', file, '--replicas', '4']);
  expect(ended.status, ended.output).toBe(0);
  replicas = folder;
});

describe('deploy/slurm-train.sh', () => {
  const missing = noMpi ?? SlurmCluster.missing();
  it.skipIf(missing !== undefined)(titled('trains in two ranks that Slurm starts', missing), async () => {
    const cluster = await SlurmCluster.start();
    try {
      const { file, folder } = configOf('slurm');
      const log = join(root, 'slurm.log');
      // The script asks for four nodes; options of the command line come first.
      const size = ['--nodes=1', '--ntasks-per-node=2', '--cpus-per-task=1', '--mem=1G', `--output=${log}`];
      const submitted = await run('sbatch', ['--wait', ...size, deploy('slurm-train.sh'), file], cluster.env);
      const output = existsSync(log) ? readFileSync(log, 'utf8') : submitted.output;
      expect(submitted.status, output).toBe(0);
      expect(output).toMatch(/training in 2 processes on 1 host.*, Open MPI/);
      expect(output).toContain('3 steps done');
      expect(await runDifference(folder, replicas)).toBeLessThan(1e-4);
      const usage = await run('bash', [deploy('slurm-train.sh')], cluster.env);
      expect(usage.output).toContain('the configuration of the training run');
    } finally {
      await cluster.stop();
    }
  });
});

describe('deploy/mpirun-train.sh', () => {
  const missing = noMpi ?? NetworkHosts.missing();
  it.skipIf(missing !== undefined)(
    titled(
      'trains on hosts of a network without a scheduler, two and four, with the bits of replicas on four',
      missing,
    ),
    async () => {
      for (const count of [2, 4]) {
        const hosts = new NetworkHosts(count);
        try {
          const { file, folder } = configOf(`hosts-${count}`);
          const [command, args] = hosts.onFirst('bash', deploy('mpirun-train.sh'), hosts.hostFile, file);
          const more = { MDETR_RSH: hosts.agent, MDETR_NETWORK: '10.77.0.0/24', MDETR_CACHE: join(root, 'cache') };
          const ended = await run(command, args, more);
          expect(ended.status, ended.output).toBe(0);
          expect(ended.output).toMatch(new RegExp(`training in ${count} processes on ${count} hosts.*, Open MPI`));
          const difference = await runDifference(folder, replicas);
          if (count === 4) expect(difference).toBe(0);
          else expect(difference).toBeLessThan(1e-4);
        } finally {
          hosts.remove();
        }
      }
    },
  );
});

/** Fields of an MPIJob of Kubeflow (v2beta1) beside pod templates, which have the schema of Kubernetes. */
const replicaSchema = z.strictObject({
  replicas: z.int().min(0),
  restartPolicy: z.enum(['Never', 'OnFailure']),
  template: z.record(z.string(), z.unknown()),
});
const mpiJobSchema = z.strictObject({
  apiVersion: z.literal('kubeflow.org/v2beta1'),
  kind: z.literal('MPIJob'),
  metadata: z.strictObject({ name: z.string(), labels: z.record(z.string(), z.string()).optional() }),
  spec: z.strictObject({
    mpiImplementation: z.enum(['OpenMPI', 'Intel', 'MPICH']).optional(),
    slotsPerWorker: z.int().min(1).optional(),
    runLauncherAsWorker: z.boolean().optional(),
    sshAuthMountPath: z.string().optional(),
    launcherCreationPolicy: z.enum(['AtStartup', 'WaitForWorkersReady']).optional(),
    runPolicy: z
      .strictObject({
        activeDeadlineSeconds: z.int().optional(),
        backoffLimit: z.int().optional(),
        cleanPodPolicy: z.enum(['None', 'Running', 'All']).optional(),
        managedBy: z.string().optional(),
        suspend: z.boolean().optional(),
        ttlSecondsAfterFinished: z.int().optional(),
      })
      .optional(),
    mpiReplicaSpecs: z.strictObject({ Launcher: replicaSchema, Worker: replicaSchema }),
  }),
});

describe('deploy/mpijob.yaml', () => {
  const documents = parseAllDocuments(readFileSync(deploy('mpijob.yaml'), 'utf8'));
  const text = documents[0]!.toJS() as unknown;

  it('fits the schema of the MPI operator, and its pods those of Kubernetes', () => {
    expect(documents.flatMap(({ errors }) => errors)).toEqual([]);
    expect(documents).toHaveLength(1);
    const { spec } = mpiJobSchema.parse(text);
    for (const { template } of Object.values(spec.mpiReplicaSpecs)) {
      const podSpec = { ...(template['spec'] as object), restartPolicy: 'Never' };
      const job = (more: object) =>
        new Job({ metadata: {}, spec: { template: { spec: { ...podSpec, ...more } } } } as never);
      expect(() => job({}).validate()).not.toThrow();
      expect(() => job({ containers: 'none' }).validate()).toThrow();
    }
    expect(() => mpiJobSchema.parse({ ...(text as object), spec: { ...spec, slots: 1 } })).toThrow();
  });

  it('agrees with its image', () => {
    const { spec } = mpiJobSchema.parse(text);
    const image = readFileSync(deploy('train.Dockerfile'), 'utf8');
    const sshd = readFileSync(deploy('sshd_config'), 'utf8');
    const { Launcher, Worker } = spec.mpiReplicaSpecs;
    const launcher = (Launcher.template['spec'] as { containers: { args: string[] }[] }).containers[0]!;
    const worker = (Worker.template['spec'] as { containers: { args: string[] }[] }).containers[0]!;
    expect(launcher.args[launcher.args.indexOf('-n') + 1]).toBe(String(Worker.replicas));
    expect(image).toContain(`COPY --chown=mdetr deploy/sshd_config ${worker.args.at(-1)!}`);
    expect(sshd).toContain(`HostKey ${spec.sshAuthMountPath!}/id_rsa`);
    expect(/^Port (\d+)$/m.exec(sshd)![1]).toBe(/Port (\d+)/.exec(readFileSync(deploy('ssh_config'), 'utf8'))![1]);
    const [, user] = /useradd --create-home --uid (\d+) mdetr/.exec(image)!;
    for (const { template } of [Launcher, Worker])
      expect((template['spec'] as { securityContext: object }).securityContext).toMatchObject({
        runAsUser: Number(user),
      });
  });

  it.skipIf(noMpi !== undefined)(titled('has a launcher whose command trains', noMpi), async () => {
    const { spec } = mpiJobSchema.parse(text);
    const [container] = (spec.mpiReplicaSpecs.Launcher.template['spec'] as { containers: { args: string[] }[] })
      .containers;
    const { file, folder } = configOf('mpijob');
    const args = container!.args.flatMap((arg) =>
      arg === 'mdetr' ? [process.execPath, main] : arg === '/data/train.json' ? [file] : arg === '8' ? ['1'] : [arg],
    );
    const ended = await run('mpirun', ['--oversubscribe', ...args]);
    expect(ended.status, ended.output).toBe(0);
    expect(await runDifference(folder, replicas)).toBe(0);
  });
});

describe('images of deploy/', () => {
  const files = readdirSync(deploy('')).filter((name) => name.endsWith('.Dockerfile') || name.endsWith('.def'));

  it.each(files)('%s has bases that are pinned by digest, and copies what is there', (name) => {
    const text = readFileSync(deploy(name), 'utf8');
    const bases = text.match(/^(?:FROM|From:) .*/gm)!;
    expect(bases.length).toBeGreaterThan(0);
    for (const base of bases) expect(base).toMatch(/@sha256:[0-9a-f]{64}( AS \w+)?$/);
    const copied = name.endsWith('.def')
      ? /^%files\n((?: {4}.*\n)*)/m
          .exec(text)![1]!
          .trim()
          .split('\n')
          .map((line) => line.trim().split(' ')[0]!)
      : Array.from(text.matchAll(/^COPY (?:--chown=\S+ )?(?!--from)(.*) \S+$/gm), ([, paths]) =>
          paths!.split(' '),
        ).flat();
    for (const path of copied) expect(existsSync(join(projectRoot, path)), path).toBe(true);
    const built = Array.from(text.matchAll(/^COPY --from=build ((?:\/app\/\S+ )+)/gm), ([, paths]) =>
      paths!.trim().split(' '),
    ).flat();
    for (const path of built) expect(existsSync(join(projectRoot, path.replace('/app/', ''))), path).toBe(true);
  });
});
