import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Random } from '../../src/random/random.ts';
import { killAndResume } from '../support/kill-run.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-kill-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a training run that is killed', () => {
  it('five times at random moments ends with the same values bit for bit (npm run test:kill: twenty times)', async () => {
    const random = Random.of(5, 'kills');
    const report = await killAndResume({ folder, kills: 5, steps: 40, random: () => random.uniform() });
    expect(report.kills).toBe(5);
    expect(report.faults).toEqual([]);
  }, 600_000);
});
