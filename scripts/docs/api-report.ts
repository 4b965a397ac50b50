/**
 * Writes the API reports of all entry points to `docs/api-report/`, from the built declaration files. With `--check`,
 * compares them instead and exits with status 1 if the public API changed without its report.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor';

const root = fileURLToPath(new URL('../..', import.meta.url));
const reports = join(root, 'docs/api-report');

interface Exports {
  readonly exports: Readonly<Record<string, { readonly types?: string } | string>>;
}

/** Entry points of package.json as names (`mdetr`, `mdetr-train` …), with their declaration files. */
const entryPoints = (): readonly (readonly [name: string, declarations: string])[] => {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Exports;
  return Object.entries(exports).flatMap(([path, target]) =>
    typeof target === 'string' || target.types === undefined
      ? []
      : [[['mdetr', ...path.split('/').slice(1)].join('-'), join(root, target.types)] as const],
  );
};

const reportOf = (name: string, declarations: string, isCheck: boolean, temporary: string): boolean => {
  const config = ExtractorConfig.prepare({
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: declarations,
      compiler: { tsconfigFilePath: join(root, 'tsconfig.json') },
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
          // Types that a public signature names but no entry point exports are listed in the report, for review.
          'ae-forgotten-export': { logLevel: ExtractorLogLevel.Warning, addToApiReportFile: true },
          'ae-undocumented': { logLevel: ExtractorLogLevel.None },
          'ae-missing-release-tag': { logLevel: ExtractorLogLevel.None },
          'ae-unresolved-link': { logLevel: ExtractorLogLevel.None },
        },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(root, 'package.json'),
  });
  const result = Extractor.invoke(config, {
    localBuild: !isCheck,
    messageCallback: (message) => {
      message.handled = message.logLevel !== ExtractorLogLevel.Error;
    },
  });
  return !result.apiReportChanged && result.errorCount === 0;
};

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
mkdirSync(reports, { recursive: true });
const temporary = mkdtempSync(join(tmpdir(), 'mdetr-api-'));
try {
  const changed = entryPoints().filter(
    ([name, declarations]) => !reportOf(name, declarations, values.check, temporary),
  );
  if (values.check && changed.length > 0) {
    process.stderr.write(
      `The public API of ${changed.map(([name]) => name).join(', ')} differs from docs/api-report: run npm run docs:api-report and review the change.\n`,
    );
    process.exitCode = 1;
  }
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
