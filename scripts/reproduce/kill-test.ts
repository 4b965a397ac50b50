/**
 * Kills training runs with SIGKILL at random moments, resumes them, and checks that all their values equal those of an
 * uninterrupted run bit for bit (two threads).
 *
 *     npm run test:kill
 *     npm run test:kill -- --kills 50 --seed 3
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Random } from '../../src/random/random.ts';
import { killAndResume } from '../../test/support/kill-run.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    steps: { type: 'string', default: '120' },
    seed: { type: 'string', default: '1' },
  },
});
const folder = mkdtempSync(join(tmpdir(), 'mdetr-kill-test-'));
const random = Random.of(Number(values.seed), 'kills');
try {
  const { kills, finished, faults } = await killAndResume({
    folder,
    kills: Number(values.kills),
    steps: Number(values.steps),
    random: () => random.uniform(),
    onEvent: (text) => console.log(text),
  });
  console.log(`${kills} kills, ${finished} finished runs`);
  console.log(faults.length === 0 ? 'all values are equal bit for bit' : `differences:\n${faults.join('\n')}`);
  process.exitCode = faults.length === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
