/**
 * Copies into `dist/bundled/` what the package uses of its pure-JavaScript development dependencies, and makes `dist/` import
 * it from there. Installed as packages they would take ten times the space, most of it source maps and other builds.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import ts from 'typescript';

const root = fileURLToPath(new URL('../../', import.meta.url));
const require = createRequire(join(root, 'package.json'));

/** Entry of `dist/bundled/packages.json` for one package. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

/** Modules that are copied as they are. libheif is under the LGPL: another build of it can take the place of its file. */
const COPIED_MODULES = new Set(['libheif-js/libheif-wasm/libheif-bundle.mjs']);

/** Files that are copied beside the modules, by their name below `dist/bundled/`. */
const COPIED_FILES = {
  'dejavu-sans.woff': '@fontsource/dejavu-sans/files/dejavu-sans-latin-400-normal.woff',
} as const;

/** CommonJS code asks for Node's own modules by `require`, which modules do not have. */
const REQUIRE_BANNER = 'const require = (id) => process.getBuiltinModule(id);';

interface ImportedModule {
  /** Position of the specifier with its quotes. */
  readonly from: number;
  readonly to: number;
  readonly specifier: string;
  /** Imported names; undefined if all are. */
  readonly names: readonly string[] | undefined;
}

/** Name of the package that a module specifier belongs to; undefined for relative paths and Node's own modules. */
const packageOf = (specifier: string): string | undefined => {
  if (/^[./#]/.test(specifier) || isBuiltin(specifier)) return undefined;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
};

/** Static and dynamic imports of a module's code. */
export const importsOf = (code: string): ImportedModule[] => {
  const found: ImportedModule[] = [];
  const add = (node: ts.Node | undefined, names: readonly string[] | undefined): void => {
    if (node !== undefined && ts.isStringLiteral(node))
      found.push({ from: node.getStart(), to: node.getEnd(), specifier: node.text, names });
  };
  const file = ts.createSourceFile('module.js', code, ts.ScriptTarget.Latest, true);
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, namesOf(node.importClause, file));
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, reexportedNames(node));
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], destructuredNames(node));
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
};

const namesOf = (clause: ts.ImportClause | undefined, file: ts.SourceFile): readonly string[] | undefined => {
  if (clause === undefined) return [];
  const { namedBindings } = clause;
  if (namedBindings !== undefined && ts.isNamespaceImport(namedBindings))
    return membersOf(namedBindings.name.text, file);
  const names = namedBindings?.elements.map(({ propertyName, name }) => (propertyName ?? name).text) ?? [];
  return clause.name === undefined ? names : ['default', ...names];
};

/** Names `a` that a module uses of a namespace `all` by `all.a`; undefined if it uses the namespace in another way, too. */
const membersOf = (namespace: string, file: ts.SourceFile): readonly string[] | undefined => {
  const names = new Set<string>();
  const others: ts.Identifier[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === namespace)
      names.add(node.name.text);
    else if (ts.isIdentifier(node) && node.text === namespace && !isNameOfMember(node)) others.push(node);
    else if (!ts.isNamespaceImport(node)) ts.forEachChild(node, visit);
  };
  visit(file);
  return others.length > 0 ? undefined : [...names];
};

/** Whether an identifier is the `a` of `x.a` or of `{ a: x }`. */
const isNameOfMember = ({ parent, text }: ts.Identifier): boolean =>
  (ts.isPropertyAccessExpression(parent) && parent.name.text === text && parent.expression.getText() !== text) ||
  (ts.isPropertyAssignment(parent) && parent.name.getText() === text && parent.initializer.getText() !== text);

/** Names in `const { a, b } = await import('…')`; undefined for other uses. */
const destructuredNames = ({ parent }: ts.CallExpression): readonly string[] | undefined => {
  if (!ts.isAwaitExpression(parent) || !ts.isVariableDeclaration(parent.parent)) return undefined;
  const { name } = parent.parent;
  if (!ts.isObjectBindingPattern(name)) return undefined;
  const names = name.elements.map((element) => (element.propertyName ?? element.name).getText());
  return name.elements.some(({ dotDotDotToken }) => dotDotDotToken !== undefined) ? undefined : names;
};

const reexportedNames = ({ exportClause }: ts.ExportDeclaration): readonly string[] | undefined =>
  exportClause !== undefined && ts.isNamedExports(exportClause)
    ? exportClause.elements.map(({ propertyName, name }) => (propertyName ?? name).text)
    : undefined;

/** Use of a module: the names that are imported somewhere, and whether all are. */
interface ModuleUse {
  readonly names: ReadonlySet<string>;
  readonly all: boolean;
}

/**
 * Code of a module that exports what is used of another. Names are listed even if all are exported, since those of a CommonJS module
 * are known only when it runs. Some modules have no default export.
 */
const exportsOf = (specifier: string, { names, all }: ModuleUse): string => {
  const listed = [...names].filter((name) => !all || name !== 'default');
  const code = listed.length === 0 ? '' : `export { ${listed.join(', ')} } from '${specifier}';`;
  if (!all) return code;
  return `${code} import * as all from '${specifier}'; export * from '${specifier}'; const name = 'default'; export default all[name];`;
};

const fileNameOf = (specifier: string): string =>
  COPIED_MODULES.has(specifier)
    ? basename(specifier)
    : `${specifier.replace(/^@/, '').replace(/\.js$/, '').replaceAll('/', '-')}.js`;

/** Name, version and license of the package that a file below `node_modules` belongs to. */
const packageOfFile = (path: string): BundledPackage & { readonly folder: string } => {
  const parts = path.replaceAll('\\', '/').split('node_modules/');
  const folder = `${parts.slice(0, -1).join('node_modules/')}node_modules/${packageOf(parts.at(-1)!)!}`;
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as BundledPackage;
  return { name, version, license, folder };
};

/** License texts of a package. Without such a file, the license's name and the author stand in the package's description. */
const licenseText = (folder: string): string => {
  const files = readdirSync(folder).filter((name) => /^(licen[cs]e|copying|notice)/i.test(name));
  if (files.length > 0) return files.map((name) => readFileSync(join(folder, name), 'utf8').trim()).join('\n\n');
  const { license, author } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>;
  return `${String(license)}, ${typeof author === 'string' ? author : JSON.stringify(author)}`;
};

/**
 * Bundles the dependencies of the compiled package and rewrites its imports of them. A package is bundled if `package.json` has it
 * among the development dependencies only.
 *
 * @param dist folder of the compiled package
 * @returns the bundled packages, dependencies of dependencies included
 * @throws {Error} if the imports have been rewritten already
 */
export const bundleDependencies = async (dist: string): Promise<readonly BundledPackage[]> => {
  const description = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, object>;
  const installed = new Set(
    ['dependencies', 'optionalDependencies', 'peerDependencies'].flatMap((key) => Object.keys(description[key] ?? {})),
  );
  const isBundled = (specifier: string): boolean => {
    const name = packageOf(specifier);
    return name !== undefined && !installed.has(name) && name !== 'mdetr';
  };
  const target = join(dist, 'bundled');
  const used = new Map<string, ModuleUse>();
  for (const [path, code] of modulesBelow(dist)) {
    const imports = importsOf(code).filter(({ specifier }) => isBundled(specifier));
    if (imports.length === 0) continue;
    let rewritten = code;
    for (const { from, to, specifier, names } of imports.reverse()) {
      const before = used.get(specifier);
      used.set(specifier, {
        names: new Set([...(before?.names ?? []), ...(names ?? [])]),
        all: before?.all === true || names === undefined,
      });
      const file = relative(dirname(path), join(target, fileNameOf(specifier))).replaceAll('\\', '/');
      rewritten = `${rewritten.slice(0, from)}'${file.startsWith('.') ? file : `./${file}`}'${rewritten.slice(to)}`;
    }
    writeFileSync(path, rewritten);
  }

  if (used.size === 0)
    throw new Error('nothing to bundle: compile before, since the compiled imports are rewritten once');
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });

  const copied = [...used.keys()].filter((specifier) => COPIED_MODULES.has(specifier));
  const sources = [...copied, ...Object.values(COPIED_FILES)].map((file) => require.resolve(file));
  for (const specifier of copied) cpSync(require.resolve(specifier), join(target, fileNameOf(specifier)));
  for (const [name, file] of Object.entries(COPIED_FILES)) cpSync(require.resolve(file), join(target, name));
  const stubs = new Map<string, string>();
  for (const [specifier, use] of used)
    if (!COPIED_MODULES.has(specifier)) stubs.set(specifier, exportsOf(specifier, use));
  const inputs = await bundle(stubs, target, [...installed]);

  // Builds of libheif have its full license beside them, the package itself a summary.
  const besideLibheif = sources.filter((path) => path.includes('libheif-wasm')).map(dirname);
  return addLicenses(target, [...sources, ...inputs], besideLibheif);
};

/**
 * Writes the licenses of the packages that bundled files come from, beside those that are there.
 *
 * @param target folder of the bundled code; @param paths files of packages; @param folders more folders with license texts of theirs
 * @returns all packages with code in the bundles
 */
export const addLicenses = (
  target: string,
  paths: readonly string[],
  folders: readonly string[] = [],
): readonly BundledPackage[] => {
  const [list, texts] = [join(target, 'packages.json'), join(target, 'LICENSES.txt')];
  const listed = existsSync(list) ? (JSON.parse(readFileSync(list, 'utf8')) as BundledPackage[]) : [];
  const found = new Map(
    paths.map((path) => {
      const own = packageOfFile(path);
      return [`${own.name}@${own.version}`, own];
    }),
  );
  for (const { name, version } of listed) found.delete(`${name}@${version}`);
  const added = [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const notices = added.map(({ name, version, folder }) => {
    const own = [folder, ...folders.filter((other) => other.startsWith(folder))];
    return `${'-'.repeat(80)}\n${name} ${version}\n\n${[...new Set(own)].map(licenseText).join('\n\n')}\n`;
  });
  const before = existsSync(texts) ? readFileSync(texts, 'utf8') : NOTICE;
  writeFileSync(texts, `${before}\n${notices.join('\n')}`);
  const all = [...listed, ...added.map(({ name, version, license }) => ({ name, version, license }))];
  writeFileSync(list, `${JSON.stringify(all, undefined, 2)}\n`);
  return all;
};

const NOTICE = `This folder and ../cli contain code and data of the packages below, each under its own license.
libheif-bundle.mjs is an unchanged file of libheif-js (LGPL-3.0); a file of the same interface may take its place.
`;

/** Compiled modules that Node loads, with their code. */
const modulesBelow = function* (dist: string): Generator<[path: string, code: string]> {
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || !entry.name.endsWith('.js') || /^(web|page|ort|bundled)[\\/]/.test(relative(dist, path)))
      continue;
    yield [path, readFileSync(path, 'utf8')];
  }
};

/** Writes one readable module per stub, and what they share. @returns the bundled files */
const bundle = async (
  stubs: ReadonlyMap<string, string>,
  outdir: string,
  external: readonly string[],
): Promise<string[]> => {
  const { metafile } = await build({
    entryPoints: [...stubs.keys()].map((specifier) => ({
      in: `stub:${specifier}`,
      out: fileNameOf(specifier).replace(/\.js$/, ''),
    })),
    outdir,
    bundle: true,
    splitting: true,
    chunkNames: 'shared-[hash]',
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    mainFields: ['module', 'main'],
    external: [...external],
    banner: { js: REQUIRE_BANNER },
    charset: 'utf8',
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    absWorkingDir: root,
    plugins: [
      {
        name: 'stubs',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^stub:/ }, ({ path }) => ({ path: path.slice('stub:'.length), namespace: 'stub' }));
          onLoad({ filter: /./, namespace: 'stub' }, ({ path }) => ({ contents: stubs.get(path)!, resolveDir: root }));
        },
      },
    ],
  });
  return Object.keys(metafile.inputs)
    .filter((path) => path.includes('node_modules/'))
    .map((path) => join(root, path));
};

/**
 * Removes declarations that no entry of the package refers to: half of them describe internals.
 *
 * @param entries paths of the entries' declarations
 * @throws {Error} if a declaration refers to a package that is not installed with this one
 */
export const removeUnusedDeclarations = (dist: string, entries: readonly string[]): void => {
  const description = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, object>;
  const installed = new Set([...Object.keys(description['dependencies'] ?? {}), 'mdetr']);
  const reached = new Set<string>();
  const waiting = [...entries];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    for (const { fileName } of ts.preProcessFile(readFileSync(path, 'utf8')).importedFiles) {
      const name = packageOf(fileName);
      if (name !== undefined && !installed.has(name))
        throw new Error(`${path} refers to ${name}, which is not installed with the package`);
      const target = join(dirname(path), fileName.replace(/\.[jt]s$/, '.d.ts'));
      if (fileName.startsWith('.') && existsSync(target)) waiting.push(target);
    }
  }
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.name.endsWith('.d.ts') && !reached.has(path)) rmSync(path);
  }
};
