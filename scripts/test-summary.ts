/**
 * Counts what vitest's JSON reports in a folder say, for the last line of `.ci/run`.
 *
 *     tsx scripts/test-summary.ts FOLDER [FAILED-STEP…]
 *
 * A report file that is missing counts through its failed step; a test file that could not even be loaded is a failure.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

const [folder, ...failedSteps] = process.argv.slice(2) as [string, ...string[]];
const counts = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];
const skips: string[] = [];

for (const name of readdirSync(folder).filter((file) => file.endsWith('.json'))) {
  const { testResults } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Report;
  for (const file of testResults) {
    const where = relative(process.cwd(), file.name);
    const broken = file.assertionResults.filter(({ status }) => status === 'failed');
    if (file.status === 'failed' && broken.length === 0) {
      counts.failed += 1;
      failures.push(`${where}: could not be run`);
    }
    for (const { fullName, status } of file.assertionResults) {
      if (status === 'passed') counts.passed += 1;
      else if (status === 'failed') {
        counts.failed += 1;
        failures.push(`${where}: ${fullName}`);
      } else {
        counts.skipped += 1;
        skips.push(`${where}: ${fullName}`);
      }
    }
  }
}

/** Steps whose failures are counted test by test. */
const testSteps = ['tests', 'slow-tests'];
const otherSteps = failedSteps.filter((step) => !testSteps.includes(step) || counts.failed === 0);
counts.failed += otherSteps.length;
failures.push(...otherSteps.map((step) => `step "${step}"`));

if (skips.length > 0) console.log(`Skipped, with the reason in the title:\n  ${skips.join('\n  ')}`);
if (failures.length > 0) console.log(`Failed:\n  ${failures.join('\n  ')}`);
console.log(
  `${counts.passed} passed, ${counts.failed} failed${counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`}`,
);
process.exitCode = counts.failed === 0 ? 0 : 1;
