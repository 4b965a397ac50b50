import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeSharedGroup, ThreadCommunicator } from '../parallel/thread-communicator.ts';
import { agree } from './agreement.ts';
import type { RunData } from './run-data.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-agreement-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const annotations = join(folder, 'rows.json');
const weights = join(folder, 'weights.pth');

interface View {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly rows?: number;
  readonly text?: string;
}

/** Messages of processes that see these configs and data. */
const messagesOf = async (views: readonly View[]): Promise<string[]> => {
  const group = makeSharedGroup(views.length, 256);
  const agreed = views.map(({ config, rows = 4, text = 'rows' }, rank) => {
    // Files are read before the first wait, so that each process reads what it is to see.
    writeFileSync(annotations, text);
    writeFileSync(weights, `weights of ${text}`);
    const data = { datasets: [{ annotations, images: folder }], rows, totalSteps: 10 } as unknown as RunData;
    return agree(new ThreadCommunicator(rank, group), { lr: 1, load: weights, ...config }, data);
  });
  const ended = await Promise.allSettled(agreed);
  return ended.map((one) => (one.status === 'fulfilled' ? 'agrees' : String(one.reason)));
};

describe('agree', () => {
  it('accepts equal processes, whose threads may differ', async () => {
    const views = [1, 2, 3].map((threads) => ({ config: { threads, output_dir: `run-${threads}` } }));
    expect(await messagesOf(views)).toEqual(['agrees', 'agrees', 'agrees']);
  });

  it.each([
    ['a setting', { config: { lr: 2 } }, 'process 2 differs from process 0 in the setting lr;'],
    ['the number of rows', { rows: 5 }, 'process 2 differs from process 0 in the number of rows;'],
    ['the data', { text: 'Rows' }, `in the contents of ${annotations}, the contents of ${weights};`],
    ['the settings that a version has', { config: { other: 2 } }, 'in the version of mdetr;'],
  ])('refuses %s of one process, in all of them', async (_what, view, message) => {
    for (const text of await messagesOf([{}, {}, view])) expect(text).toContain(message);
  });
});
