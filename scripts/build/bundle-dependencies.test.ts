import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { importsOf, type BundledPackage } from './bundle-dependencies.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const dist = join(root, 'dist');

describe('dependencies inside the package', () => {
  it('finds every form of import, and no text that looks like one', () => {
    const code = `import a, { b as c } from 'x'; import * as d from "y"; d(); export { e as f } from 'z'; import 'w';
      const lazy = () => import('v'); const { i, j: k } = await import('s'); const text = "import g from 'u'"; // import h from 't'`;
    expect(importsOf(code).map(({ specifier, names }) => [specifier, names])).toEqual([
      ['x', ['default', 'b']],
      ['y', undefined],
      ['z', ['e']],
      ['w', []],
      ['v', undefined],
      ['s', ['i', 'j']],
    ]);
    for (const { from, to, specifier } of importsOf(code)) expect(code.slice(from + 1, to - 1)).toBe(specifier);
  });

  it('finds the members that are used of a namespace', () => {
    const namesOf = (code: string) => importsOf(`import * as z from 'zod'; ${code}`)[0]!.names;
    expect(namesOf('z.string(); const x = { z: z.number().min(1), y: a.z };')).toEqual(['string', 'number']);
    expect(namesOf('z.string(); use(z);')).toBeUndefined();
    expect(namesOf('z.string(); export const all = { z };')).toBeUndefined();
    expect(namesOf('z["string"]();')).toBeUndefined();
  });

  it.skipIf(!existsSync(join(dist, 'built')))('are all there: the built package imports only what it installs', () => {
    const description = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, object>;
    const installed = ['dependencies', 'optionalDependencies', 'peerDependencies'].flatMap((key) =>
      Object.keys(description[key] ?? {}),
    );
    const files = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((path) =>
      /^(cli|data|drawing|server|results|text)[\\/].*\.js$/.test(path),
    );
    const imported = files.flatMap((path) => importsOf(readFileSync(join(dist, path), 'utf8')));
    const packages = imported.map(({ specifier }) => specifier).filter((name) => /^[@a-z]/.test(name));
    const others = packages.filter(
      (name) => !name.startsWith('node:') && !installed.some((own) => name === own || name.startsWith(`${own}/`)),
    );
    expect(others).toEqual([]);
    expect(imported.some(({ specifier }) => specifier.endsWith('bundled/zod.js'))).toBe(true);
  });

  it.skipIf(!existsSync(join(dist, 'built')))('export every name that the package imports', async () => {
    const files = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((path) =>
      /^(?!bundled|ort|page|web).*\.js$/.test(path),
    );
    const codes = files.map((path) => readFileSync(join(dist, path), 'utf8'));
    const imports = codes.filter((code) => code.includes('bundled/')).flatMap(importsOf);
    const bundled = imports.filter(({ specifier }) => /(^|\/)bundled\/[^/]+\.m?js$/.test(specifier));
    expect(bundled.length).toBeGreaterThan(20);
    const missing: string[] = [];
    for (const { specifier, names = [] } of bundled) {
      const file = specifier.slice(specifier.lastIndexOf('bundled/'));
      const exported = (await import(pathToFileURL(join(dist, file)).href)) as object;
      missing.push(...names.filter((name) => !(name in exported)).map((name) => `${name} of ${file}`));
    }
    expect(missing).toEqual([]);
  });

  it.skipIf(!existsSync(join(dist, 'built')))('come with their licenses', () => {
    const listed = JSON.parse(readFileSync(join(dist, 'bundled/packages.json'), 'utf8')) as BundledPackage[];
    const notices = readFileSync(join(dist, 'bundled/LICENSES.txt'), 'utf8');
    expect(listed.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['@hono/node-server', 'libheif-js', 'zod', 'lru-cache', 'sharp', 'semver']),
    );
    for (const { name, version } of listed) expect(notices).toContain(`${name} ${version}\n`);
    expect(notices).toContain('GNU LESSER GENERAL PUBLIC LICENSE');
  });
});
