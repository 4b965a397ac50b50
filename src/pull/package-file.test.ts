import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MdetrError } from '../errors.ts';
import { fetchPackageFile, type PackageFile } from './package-file.ts';

const library = Buffer.alloc(70_000, 'library ');
const sha256 = createHash('sha256').update(library).digest('hex');
const wanted: PackageFile = { package: 'engine', version: '1.0.0', file: 'lib.so', folders: ['linux', 'x64'], sha256 };

/** A folder whose `npm` copies a prepared archive, as `npm pack NAME --pack-destination DIR` does. */
const fakeNpm = (folder: string, script: string): void => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'npm'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, 'npm'), 0o755);
};

describe.skipIf(process.platform === 'win32')('one file of a package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mdetr-package-'));
  const to = join(folder, 'cache/lib.so');
  const withNpm = async (script: string, file: PackageFile = wanted): Promise<void> => {
    fakeNpm(join(folder, 'bin'), script);
    vi.stubEnv('PATH', `${join(folder, 'bin')}${delimiter}${process.env['PATH'] ?? ''}`);
    try {
      await fetchPackageFile(file, to);
    } finally {
      vi.unstubAllEnvs();
    }
  };
  const pack = `cp "${folder}/engine.tgz" "$4/engine-1.0.0.tgz"`;

  beforeAll(() => {
    for (const system of ['darwin/arm64', 'linux/arm64', 'linux/x64'])
      mkdirSync(join(folder, 'package/bin', system), { recursive: true });
    writeFileSync(join(folder, 'package/bin/darwin/arm64/lib.so'), 'another system');
    writeFileSync(join(folder, 'package/bin/linux/arm64/lib.so'), 'another processor');
    writeFileSync(join(folder, 'package/bin/linux/x64/lib.so'), library);
    execFileSync('tar', ['-czf', join(folder, 'engine.tgz'), '-C', folder, 'package']);
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('is extracted from what npm packs, and nothing else stays', async () => {
    await withNpm(pack);
    expect(readFileSync(to).equals(library)).toBe(true);
    rmSync(to);
  });

  it('with another digest is refused and leaves no file', async () => {
    await expect(withNpm(pack, { ...wanted, sha256: '0'.repeat(64) })).rejects.toThrow(
      /lib\.so of engine@1\.0\.0 has SHA-256/,
    );
    expect(existsSync(to)).toBe(false);
  });

  it('that the package lacks is named', async () => {
    await expect(withNpm(pack, { ...wanted, file: 'lib.dll' })).rejects.toThrow('has no file linux/x64/lib.dll');
  });

  it.each([
    ['an error of npm', 'echo "npm error code E404" >&2; echo "npm error 404 Not Found" >&2; exit 1', /404 Not Found/],
    ['an archive that is truncated', `head -c 200 "${folder}/engine.tgz" > "$4/engine-1.0.0.tgz"`, /cannot be fetched/],
    ['an archive that is no archive', 'echo hello > "$4/engine-1.0.0.tgz"', /cannot be fetched/],
    ['no archive', 'true', /wrote no archive/],
  ])('%s is a clear error', async (_, script, message) => {
    const error: unknown = await withNpm(script).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(MdetrError);
    expect((error as Error).message).toMatch(message);
    expect(existsSync(to)).toBe(false);
  });
});
