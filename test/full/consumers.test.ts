import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const require = createRequire(import.meta.url);
const SUBPATHS = ['', '/train', '/metrics', '/data', '/scenes', '/models', '/losses', '/engine', '/server'];

const compilersFolder = mkdtempSync(join(tmpdir(), 'mdetr-compilers-'));

/** Path of an older compiler, installed from the registry; undefined, with a note, if the registry cannot be reached. */
const installed = (version: string): string | undefined => {
  const args = ['install', '--prefix', compilersFolder, '--ignore-scripts', '--no-audit', `typescript@${version}`];
  const { status } = spawnSync('npm', args, { encoding: 'utf8', shell: process.platform === 'win32' });
  if (status === 0) return join(compilersFolder, 'node_modules/typescript/bin/tsc');
  process.stderr.write(`TypeScript ${version} cannot be installed: it is not tested\n`);
  return undefined;
};

const OLD_VERSION = '5.6.3';
const oldCompiler = installed(OLD_VERSION);
/** Compilers by version: the one of this project, and the oldest supported one. */
const compilers = [
  { name: 'current', tsc: join(dirname(require.resolve('typescript/package.json')), 'bin/tsc') },
  ...(oldCompiler === undefined ? [] : [{ name: OLD_VERSION, tsc: oldCompiler }]),
];

let folder: string;
/** A project whose only package is this one: its declarations and `package.json`, and none of its dependencies. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mdetr-consumers-'));
  const packed = join(folder, 'node_modules/mdetr');
  mkdirSync(packed, { recursive: true });
  cpSync(join(root, 'package.json'), join(packed, 'package.json'));
  const tsc = compilers[0]!.tsc;
  const options = ['--emitDeclarationOnly', '--outDir', join(packed, 'dist')];
  execFileSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json'), ...options]);
}, 300_000);
afterAll(() => {
  for (const path of [folder, compilersFolder]) rmSync(path, { recursive: true, force: true });
});

const usage = `
const run = async (): Promise<void> => {
  const model = await MDETR.fromPretrained('default', { threads: 1 });
  const one = await model.detect('a.jpg', 'a dog', { threshold: 0.5 });
  const two = await model.detect(new Uint8Array(3), ['a dog', 'a cat'], { signal: new AbortController().signal });
  const captions: string[] = two.map(({ caption }) => caption);
  const box: readonly [number, number, number, number] | undefined = one.detections[0]?.box;
  const pipeline = { toBuffer: () => Promise.resolve(new Uint8Array(1)) };
  const { best } = await model.refer(pipeline, 'the dog');
  const png: Uint8Array = await drawDetections(await decodeImage('a.jpg'), one);
  const scene = await model.encodeImage('a.jpg');
  const { answer } = await scene.ask('Is there a dog?');
  for await (const { timing } of model.detectStream([{ image: 'a.jpg', text: 'a dog' }])) console.log(timing.model);
  console.log(captions, box, best === null ? 0 : best.score, png.length, answer);
  await model.dispose();
};
void run;
`;
const imports = (style: 'import' | 'require'): string => {
  const names = SUBPATHS.map((subpath, index) =>
    style === 'import'
      ? `import * as m${index} from 'mdetr${subpath}';`
      : `import m${index} = require('mdetr${subpath}');`,
  );
  const main =
    style === 'import'
      ? "import { decodeImage, drawDetections, MDETR } from 'mdetr';"
      : 'const { decodeImage, drawDetections, MDETR } = m0;';
  return `${names.join('\n')}\n${main}\nvoid [${SUBPATHS.map((_, index) => `m${index}`).join(', ')}];\n${usage}`;
};

const projects = [
  { name: 'ESM, node16', file: 'index.mts', options: { module: 'node16' }, style: 'import' },
  { name: 'ESM, nodenext', file: 'index.mts', options: { module: 'nodenext' }, style: 'import' },
  {
    name: 'ESM, bundler',
    file: 'index.ts',
    options: { module: 'esnext', moduleResolution: 'bundler', target: 'es2022' },
    style: 'import',
  },
  { name: 'CommonJS, nodenext', file: 'index.cts', options: { module: 'nodenext' }, style: 'require' },
] as const;

describe.each(compilers)('declarations compile with TypeScript $name', ({ name, tsc }) => {
  // Before 5.8 TypeScript rejects every require of an ES module (error 1479), although Node.js 20.19 loads it.
  const supported = projects.filter(({ style }) => name === 'current' || style === 'import');
  it.each(supported)('$name', { timeout: 120_000 }, ({ file, options, style }) => {
    const project = join(folder, `${name}-${file}-${options.module}`);
    mkdirSync(project, { recursive: true });
    const compilerOptions = { ...options, strict: true, noEmit: true, types: [], skipLibCheck: false };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }));
    writeFileSync(join(project, file), imports(style));
    const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', project], { encoding: 'utf8' });
    expect(stdout.slice(0, 3000)).toBe('');
    expect(status).toBe(0);
  });
});

describe('declarations', () => {
  const packed = (): string => join(folder, 'node_modules/mdetr/dist');
  const codeOf = (path: string): string => readFileSync(path, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');

  /** Every declaration file that the public entries reach. */
  const reachable = (): Set<string> => {
    const entries = readdirSync(join(packed(), 'entries')).filter((file) => file.endsWith('.d.ts'));
    const seen = new Set([join(packed(), 'index.d.ts'), ...entries.map((file) => join(packed(), 'entries', file))]);
    for (const file of seen)
      for (const [, target] of codeOf(file).matchAll(/(?:from |import\()['"](\.[^'"]*)['"]/g)) {
        const path = join(dirname(file), target!.replace(/\.(ts|js)$/, '.d.ts'));
        if (existsSync(path)) seen.add(path);
      }
    return seen;
  };

  it('name no type of a dependency and no global of Node', () => {
    const problems: string[] = [];
    for (const file of reachable()) {
      const code = codeOf(file);
      const packages = [...code.matchAll(/(?:from |import\()['"]([^'".][^'"]*)['"]/g)].map(([, target]) => target!);
      const globals = [...code.matchAll(/\b(Buffer|NodeJS\.\w+)\b/g)].map(([, global]) => global!);
      for (const found of [...packages, ...globals]) problems.push(`${relative(packed(), file)}: ${found}`);
    }
    expect(problems).toEqual([]);
  });
});
