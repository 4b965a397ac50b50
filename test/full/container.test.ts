import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { Deployment } from 'kubernetes-models/apps/v1';
import { Service } from 'kubernetes-models/v1';
import { parseAllDocuments } from 'yaml';
import { afterAll, describe, expect, it } from 'vitest';
import { projectRoot, scene } from '../support/run-mdetr.ts';

const IMAGE = 'mdetr:test';
const NAME = `mdetr-test-${process.pid}`;

/** Why images cannot be built here; undefined if they can. */
const noDocker = ((): string | undefined => {
  const { status, error } = spawnSync('docker', ['info'], { stdio: 'ignore', timeout: 10_000 });
  return error !== undefined ? 'no docker here' : status === 0 ? undefined : 'the docker daemon does not answer';
})();
const docker = (...args: readonly string[]): string => execFileSync('docker', [...args], { encoding: 'utf8' }).trim();

describe(`the container image${noDocker === undefined ? '' : ` (skipped: ${noDocker})`}`, () => {
  afterAll(() => {
    if (noDocker === undefined) spawnSync('docker', ['rm', '-f', NAME]);
  });

  it.skipIf(noDocker !== undefined)(
    'is small, needs neither network nor a writable disk, runs as a user, and is ready soon',
    async () => {
      execFileSync('docker', ['build', '-q', '-t', IMAGE, projectRoot], { stdio: 'ignore' });
      expect(Number(docker('image', 'inspect', '-f', '{{.Size}}', IMAGE))).toBeLessThan(400e6);
      expect(docker('image', 'inspect', '-f', '{{.Config.User}}', IMAGE)).toBe('65532:65532');
      const started = performance.now();
      docker('run', '-d', '--name', NAME, '--network', 'none', '--read-only', '--cap-drop', 'ALL', IMAGE);
      const node = (script: string): number | null =>
        spawnSync('docker', ['exec', '-i', NAME, '/nodejs/bin/node', '--input-type=module', '-e', script], {
          input: readFileSync(scene),
        }).status;
      const ready = "process.exit((await fetch('http://127.0.0.1:8080/readyz')).ok ? 0 : 1)";
      while (node(ready) !== 0) await setTimeout(100);
      process.stderr.write(`container: ready after ${Math.round(performance.now() - started)} ms\n`);
      const detect = `const chunks = []; for await (const chunk of process.stdin) chunks.push(chunk);
        const form = new FormData(); form.set('image', new Blob(chunks)); form.set('caption', 'a cube');
        process.exit((await fetch('http://127.0.0.1:8080/v1/detect', { method: 'POST', body: form })).ok ? 0 : 1)`;
      expect(node(detect)).toBe(0);
      docker('stop', NAME);
      expect(docker('inspect', '-f', '{{.State.ExitCode}}', NAME)).toBe('0');
    },
    280_000,
  );

  it.skipIf(noDocker === undefined || process.platform !== 'linux')(
    'would hold at most 250 MB beside Node, and be ready soon as a user without privileges, from read-only files',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'mdetr-image-'));
      chmodSync(folder, 0o755);
      try {
        const image = buildInFolder(folder);
        const megabytes = Number(execFileSync('du', ['-sm', image], { encoding: 'utf8' }).split('\t')[0]);
        const { child, readyMs } = await serveFrom(image);
        process.stderr.write(`container: ${megabytes} MB beside Node, ready after ${Math.round(readyMs)} ms\n`);
        expect(megabytes).toBeLessThan(250);
        const ended = once(child, 'exit');
        child.kill('SIGTERM');
        expect(await ended).toEqual([0, null]);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    280_000,
  );

  it('is built from bases that are pinned by digest', () => {
    const bases = readFileSync(join(projectRoot, 'Dockerfile'), 'utf8').match(/^FROM .*/gm)!;
    for (const base of bases) expect(base).toMatch(/@sha256:[0-9a-f]{64}( AS \w+)?$/);
  });
});

/**
 * Runs the steps of the Dockerfile in a plain folder, on the packages and the build that are here.
 *
 * @returns the folder that becomes `/app` of the image
 */
const buildInFolder = (folder: string): string => {
  const [app, image] = [join(folder, 'app'), join(folder, 'image')];
  mkdirSync(app);
  for (const name of ['package.json', 'package-lock.json', 'bin', 'dist', 'models', 'schemas', 'LICENSE', 'examples'])
    cpSync(join(projectRoot, name), join(app, name), { recursive: true });
  execFileSync('cp', ['-a', realpathSync(join(projectRoot, 'node_modules')), join(app, 'node_modules')]);
  const steps = Array.from(
    readFileSync(join(projectRoot, 'Dockerfile'), 'utf8').matchAll(/^RUN ((?:.*\\\n)*.*)$/gm),
    ([, step]) => step!.replaceAll('\\\n', ' '),
  );
  expect(steps[0]).toMatch(/^npm ci /);
  expect(steps).toHaveLength(4);
  const env = { ...process.env, npm_config_offline: 'true' };
  for (const step of steps.slice(1)) {
    // They have been built, and `/app` of the build stage is the folder.
    const here = step.replace('npm run --silent build && ', '').replaceAll('/app/', `${app}/`);
    execFileSync('sh', ['-ec', here.replaceAll('/image', image)], { cwd: app, env, stdio: 'pipe' });
  }
  return image;
};

/** Starts the command of the image, as its user where that is possible. */
const serveFrom = async (image: string): Promise<{ readonly child: ChildProcess; readonly readyMs: number }> => {
  const user = { uid: 65532, gid: 65532 };
  const canDrop =
    process.getuid?.() === 0 && spawnSync(process.execPath, ['--version'], { ...user, cwd: image }).status === 0;
  const started = performance.now();
  const child = spawn(process.execPath, [join(image, 'dist/cli/main.js'), 'serve', '--port', '0'], {
    cwd: image,
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', MDETR_CACHE: join(image, 'cache'), MDETR_OFFLINE: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
    uid: canDrop ? user.uid : undefined,
    gid: canDrop ? user.gid : undefined,
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([
    once(lines, 'line') as Promise<[string]>,
    once(child, 'exit').then(() => undefined),
  ]);
  if (first === undefined) throw new Error(`the server does not start: ${log}`);
  const readyMs = performance.now() - started;
  const form = new FormData();
  form.set('image', new Blob([readFileSync(scene)]));
  form.set('caption', 'a cube');
  const response = await fetch(`${first[0]}/v1/detect`, { method: 'POST', body: form });
  expect(response.status, log).toBe(200);
  return { child, readyMs };
};

describe('the Kubernetes manifest', () => {
  const documents = parseAllDocuments(readFileSync(join(projectRoot, 'deploy/kubernetes.yaml'), 'utf8'));
  const [deployment, service] = documents.map((document) => document.toJS() as object) as never[];

  it('fits the schemas of Kubernetes', () => {
    expect(documents.flatMap(({ errors }) => errors)).toEqual([]);
    expect(documents).toHaveLength(2);
    expect(() => new Deployment(deployment).validate()).not.toThrow();
    expect(() => new Service(service).validate()).not.toThrow();
    expect(() =>
      new Deployment({ ...(deployment as unknown as object), spec: { replicas: 'two' } } as never).validate(),
    ).toThrow();
  });

  it('probes paths that the server has, without privileges', () => {
    const { spec } = new Deployment(deployment).spec!.template;
    const [container] = spec!.containers;
    expect(container!.livenessProbe!.httpGet!.path).toBe('/healthz');
    expect(container!.readinessProbe!.httpGet!.path).toBe('/readyz');
    expect(container!.startupProbe!.httpGet!.path).toBe('/readyz');
    expect(spec!.securityContext!.runAsNonRoot).toBe(true);
    expect(container!.securityContext).toMatchObject({
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    });
  });
});
