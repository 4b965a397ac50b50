/**
 * Writes the API reports of all entry points to `docs/api-report/`, from the built declaration files. With `--check`,
 * compares them instead and exits with status 1 if the public API changed without its report. Both fail for an export or a
 * field without a doc comment, and for a type that a public declaration names and its entry point does not export.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CompilerState, Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor';

const root = fileURLToPath(new URL('../..', import.meta.url));
const reports = join(root, 'docs/api-report');

interface Exports {
  readonly exports: Readonly<Record<string, { readonly types?: string } | string>>;
}

/** `mdetr`, `mdetr-train` … with the declaration file of each entry point of package.json. */
const entryPoints = (): readonly (readonly [name: string, declarations: string])[] => {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Exports;
  return Object.entries(exports).flatMap(([path, target]) =>
    typeof target === 'string' || target.types === undefined
      ? []
      : [[['mdetr', ...path.split('/').slice(1)].join('-'), join(root, target.types)] as const],
  );
};

const isForBrowsers = (name: string): boolean => name === 'mdetr-web';

const configOf = (name: string, declarations: string, temporary: string): ExtractorConfig =>
  ExtractorConfig.prepare({
    configObject: {
      projectFolder: root,
      newlineKind: 'lf',
      mainEntryPointFilePath: declarations,
      // Only the browser's declarations name types of the DOM.
      compiler: { tsconfigFilePath: join(root, isForBrowsers(name) ? 'tsconfig.browser.json' : 'tsconfig.json') },
      apiReport: {
        enabled: true,
        reportFolder: reports,
        reportTempFolder: temporary,
        reportFileName: `${name}.api.md`,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        // Docstrings follow TSDoc's tags, not all of its punctuation; releases are not tagged symbol by symbol.
        tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
        extractorMessageReporting: {
          default: { logLevel: ExtractorLogLevel.Warning },
          'ae-forgotten-export': { logLevel: ExtractorLogLevel.Error },
          'ae-undocumented': { logLevel: ExtractorLogLevel.Error },
          'ae-missing-release-tag': { logLevel: ExtractorLogLevel.None },
          'ae-unresolved-link': { logLevel: ExtractorLogLevel.None },
        },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(root, 'package.json'),
  });

/** Outcome of one entry point: whether its report differs from the stored one, and what is wrong with its declarations. */
interface Outcome {
  readonly name: string;
  readonly isChanged: boolean;
  readonly errors: readonly string[];
}

const writeReport = (
  name: string,
  config: ExtractorConfig,
  compilerState: CompilerState,
  isCheck: boolean,
): Outcome => {
  const errors: string[] = [];
  const { apiReportChanged } = Extractor.invoke(config, {
    compilerState,
    localBuild: !isCheck,
    messageCallback: (message) => {
      if (message.logLevel === ExtractorLogLevel.Error) errors.push(message.text);
      message.handled = true;
    },
  });
  return { name, isChanged: apiReportChanged, errors };
};

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
mkdirSync(reports, { recursive: true });
const temporary = mkdtempSync(join(tmpdir(), 'mdetr-api-'));
try {
  const entries = entryPoints();
  const configs = entries.map(([name, declarations]) => configOf(name, declarations, temporary));
  // One program of the compiler for all entry points of Node: parsing the declarations takes most of the time.
  const forNode = entries.filter(([name]) => !isForBrowsers(name)).map(([, declarations]) => declarations);
  const state = CompilerState.create(configs[0]!, { additionalEntryPoints: forNode });
  const outcomes = entries.map(([name], index) => {
    const config = configs[index]!;
    return writeReport(name, config, isForBrowsers(name) ? CompilerState.create(config) : state, values.check);
  });
  const problems = outcomes.flatMap(({ name, errors }) => errors.map((text) => `${name}: ${text}`));
  const changed = outcomes.filter(({ isChanged }) => isChanged).map(({ name }) => name);
  if (values.check && changed.length > 0)
    problems.push(
      `The public API of ${changed.join(', ')} differs from docs/api-report: run npm run docs:api-report and review the change.`,
    );
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  if (problems.length > 0) process.exitCode = 1;
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
