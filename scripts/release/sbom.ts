/**
 * Prints the software bill of materials (CycloneDX) of the built package: what npm installs with it, and the packages whose code
 * is bundled into `dist/`.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { BundledPackage } from '../build/bundle-dependencies.ts';

/** The parts of a CycloneDX document that are written here. */
interface Bom {
  readonly metadata?: { readonly component?: { readonly 'bom-ref': string } };
  readonly components: readonly object[];
  readonly dependencies?: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

/** A document with the bundled packages as components on which the package depends. */
export const withBundled = (bom: Bom, bundled: readonly BundledPackage[]): Bom => {
  const components = bundled.map(({ name, version, license }) => ({
    'bom-ref': `${name}@${version}`,
    type: 'library',
    name,
    version,
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
    properties: [{ name: 'mdetr:bundled', value: 'dist/bundled' }],
    licenses: [{ license: { id: license } }],
  }));
  const refs = components.map((component) => component['bom-ref']);
  const own = bom.metadata?.component?.['bom-ref'];
  const dependencies = (bom.dependencies ?? []).map((entry) =>
    entry.ref === own ? { ...entry, dependsOn: [...new Set([...(entry.dependsOn ?? []), ...refs])] } : entry,
  );
  return {
    ...bom,
    components: [...bom.components, ...components],
    dependencies: [...dependencies, ...refs.map((ref) => ({ ref, dependsOn: [] }))],
  };
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const installed = execFileSync(npm, ['sbom', '--sbom-format', 'cyclonedx', '--omit', 'dev', '--package-lock-only'], {
    maxBuffer: 2 ** 28,
  });
  const packages = readFileSync(new URL('../../dist/bundled/packages.json', import.meta.url), 'utf8');
  const bom = withBundled(JSON.parse(installed.toString()) as Bom, JSON.parse(packages) as BundledPackage[]);
  process.stdout.write(`${JSON.stringify(bom, undefined, 2)}\n`);
}
