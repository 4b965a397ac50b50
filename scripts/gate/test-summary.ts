/**
 * Summarizes vitest's JSON reports: skipped and failed tests, the ten slowest test files, and the counts as the last line.
 *
 *     tsx scripts/gate/test-summary.ts FOLDER [FAILED-STEP…]
 *
 * A failed step whose report has no failed test counts as one failure: it timed out or is not a test. A test file that
 * could not be loaded counts as one failure, too.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly startTime: number;
    readonly endTime: number;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

const [folder, ...failedSteps] = process.argv.slice(2) as [string, ...string[]];
const counts = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];
const skips: string[] = [];
const durations: { readonly path: string; readonly seconds: number }[] = [];
const stepsWithFailures = new Set<string>();

const readReport = (path: string): Report | undefined => {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Report;
  } catch {
    // The step ended before its report was complete. It is among the failed steps.
    return undefined;
  }
};

const reports = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.json')) : [];
for (const name of reports) {
  const { testResults } = readReport(join(folder, name)) ?? { testResults: [] };
  const fail = (failure: string): void => {
    counts.failed += 1;
    failures.push(failure);
    stepsWithFailures.add(basename(name, '.json'));
  };
  for (const file of testResults) {
    const path = relative(process.cwd(), file.name);
    durations.push({ path, seconds: (file.endTime - file.startTime) / 1000 });
    const hasFailedTest = file.assertionResults.some(({ status }) => status === 'failed');
    if (file.status === 'failed' && !hasFailedTest) fail(`${path}: could not be run`);
    for (const { fullName, status } of file.assertionResults) {
      if (status === 'passed') counts.passed += 1;
      else if (status === 'failed') fail(`${path}: ${fullName}`);
      else {
        counts.skipped += 1;
        skips.push(`${path}: ${fullName}`);
      }
    }
  }
}

for (const step of failedSteps.filter((name) => !stepsWithFailures.has(name))) {
  counts.failed += 1;
  failures.push(`step "${step}"`);
}

const slowest = durations.toSorted((a, b) => b.seconds - a.seconds).slice(0, 10);
console.log('Slowest test files, in seconds:');
for (const { path, seconds } of slowest) console.log(`  ${seconds.toFixed(1).padStart(7)}  ${path}`);
if (skips.length > 0) console.log(`Skipped, with the reason in the title:\n  ${skips.join('\n  ')}`);
if (failures.length > 0) console.log(`Failed:\n  ${failures.join('\n  ')}`);
console.log(
  `${counts.passed} passed, ${counts.failed} failed${counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`}`,
);
process.exitCode = counts.failed === 0 ? 0 : 1;
