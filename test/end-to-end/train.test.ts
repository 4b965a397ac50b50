import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { completeRecordBytes } from '../../src/train/run/records/event-file.ts';
import { smallDataset, smallValues } from '../support/small-run.ts';
import { CommandLine, expectRefusal, type Finished } from '../support/run-mdetr.ts';

let cli: CommandLine;
beforeAll(() => (cli = new CommandLine()));
afterAll(() => cli.remove());

const writeConfig = (name: string, values: Readonly<Record<string, unknown>>): void =>
  writeFileSync(cli.file(name), JSON.stringify({ ...smallValues, ...values }));

interface Line {
  readonly kind: string;
  readonly step: number;
  readonly metrics?: Readonly<Record<string, number>>;
}
const logOf = (folder: string): Line[] => {
  const path = cli.file(join(folder, 'log.jsonl'));
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Line);
};

/** Runs `mdetr train`, and sends signals once the log has a new entry. */
const trainUntil = (args: readonly string[], folder: string, ...signals: NodeJS.Signals[]): Promise<Finished> => {
  const before = logOf(folder).length;
  return cli.start(['train', ...args], (child: ChildProcess) => {
    const timer = setInterval(() => {
      if (logOf(folder).length <= before) return;
      clearInterval(timer);
      for (const signal of signals) child.kill(signal);
    }, 5);
    child.on('close', () => clearInterval(timer));
  });
};

describe('mdetr train', () => {
  it('survives Ctrl-C, SIGTERM and a kill, resumes each time, validates and leaves a model', async () => {
    const dataset = await smallDataset(cli.file('mine'), 6);
    const scenes = { seed: 9, images: 2, width: 96, height: 64, min_objects: 2, max_objects: 3 };
    writeConfig('mine.json', {
      output_dir: 'run',
      max_steps: 80,
      save_every: 40,
      num_workers: 1,
      datasets: [{ annotations: dataset.file, images: dataset.images }],
      datasets_val: [{ annotations: dataset.file, images: dataset.images, name: 'own' }, { scenes }],
      ema: true,
    });
    const stopped = await trainUntil(['mine.json'], 'run', 'SIGINT', 'SIGINT');
    expect(stopped.signal, stopped.stderr).toBe('SIGINT');
    expect(stopped.stderr).toMatch(
      /stopped after step \d+, everything is saved\. Resume with:\n(mdetr: )? *mdetr train mine\.json --resume/,
    );
    expect(stopped.stdout).toBe('');

    const again = await cli.call('train', 'mine.json');
    expectRefusal(again, 1, /run: holds a run already \(step \d+\): resume it with --resume, or name another folder/);

    const terminated = await trainUntil(['mine.json', '--resume'], 'run', 'SIGTERM');
    expect(terminated.signal, terminated.stderr).toBe('SIGTERM');
    expect(terminated.stderr).toContain('everything is saved');
    const killed = await trainUntil(['mine.json', '--resume'], 'run', 'SIGKILL');
    expect(killed.signal).toBe('SIGKILL');

    const done = await cli.call('train', 'mine.json', '--resume');
    expect(done.status, done.stderr).toBe(0);
    expect(done.stdout).toMatch(
      /^run: 80 steps done, loss [\d.]+; model in run\/last, the best \([\d.]+ at step \d+\) in run\/best\n$/,
    );
    const lines = logOf('run');
    const steps = lines.filter(({ kind }) => kind === 'train').map(({ step }) => step);
    expect(steps).toEqual([...new Set(steps)].sort((a, b) => a - b));
    const { metrics = {} } = lines.findLast(({ kind }) => kind === 'validation')!;
    for (const name of ['own/box_ap_50', 'own/recall_at_1', 'scenes/phrase_recall_at_1', 'mean'])
      expect(metrics[name], name).toBeGreaterThanOrEqual(0);
    const events = readFileSync(cli.file('run/tensorboard/events.out.tfevents.0'));
    expect(completeRecordBytes(events)).toBe(events.length);

    const drawn = await cli.call('plot', 'run', '--smooth', '0.5');
    expect(drawn.status, drawn.stderr).toBe(0);
    expect(readFileSync(cli.file('run/curves.svg'), 'utf8')).toMatch(/^<svg/);
    const [found] = await cli.json(
      'detect',
      join(dataset.images, 'image-0.png'),
      '--caption',
      'a red cube',
      '--model',
      'run/best',
    );
    expect(found).toMatchObject({ width: 96, height: 64 });
  }, 300_000);

  it('reports wrong calls before it writes anything', async () => {
    writeConfig('plain.json', {});
    expectRefusal(await cli.call('train'), 2, /missing required argument 'config'/);
    expectRefusal(await cli.call('train', 'nowhere.json'), 1, /nowhere\.json: there is no such config file/);
    expectRefusal(
      await cli.call('train', 'plain.json'),
      2,
      /name a folder for the run: --output-dir DIR, or output_dir/,
    );
    expectRefusal(
      await cli.call('train', 'plain.json', '--set', 'epoch=3', '--output-dir', 'x'),
      1,
      /plain\.json: unknown key "epoch"; did you mean "epochs"\?/,
    );
    expectRefusal(
      await cli.call('train', 'plain.json', '--set', 'lr=fast', '--output-dir', 'x'),
      1,
      /plain\.json: "lr" /,
    );
    expectRefusal(await cli.call('train', 'plain.json', '--device', 'abacus', '--output-dir', 'x'), 1, /abacus/);
    expect(existsSync(cli.file('x/state.safetensors'))).toBe(false);
  }, 120_000);

  it('reports bad rows, or skips and counts them', async () => {
    const dataset = await smallDataset(cli.file('bad'), 6);
    dataset.annotations.images[2]!.file_name = 'gone.png';
    dataset.write();
    writeConfig('bad.json', { max_steps: 6, datasets: [{ annotations: dataset.file, images: dataset.images }] });
    expectRefusal(
      await cli.call('train', 'bad.json', '--output-dir', 'bad-run'),
      1,
      /row 2 \(image id 3\): file_name: .*gone\.png: cannot be read \(there is no such file/,
    );
    const skipped = await cli.call('train', 'bad.json', '--output-dir', 'bad-run', '--on-bad-row', 'skip');
    expect(skipped.status, skipped.stderr).toBe(0);
    expect(skipped.stderr).toMatch(/1 rows? could not be used and (was|were) skipped/);
    expect(logOf('bad-run').filter(({ kind }) => kind === 'skipped_row')).toMatchObject([{ row: 2 }]);
  }, 120_000);
});
