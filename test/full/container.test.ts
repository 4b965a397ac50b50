import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
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

  it('is built from bases that are pinned by digest', () => {
    const bases = readFileSync(join(projectRoot, 'Dockerfile'), 'utf8').match(/^FROM .*/gm)!;
    for (const base of bases) expect(base).toMatch(/@sha256:[0-9a-f]{64}( AS \w+)?$/);
  });
});

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
