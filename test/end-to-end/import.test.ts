import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DRAWN_FORMATS, drawImages, drawnImages, writeFormat } from '../support/drawn-dataset.ts';
import { CommandLine } from '../support/run-mdetr.ts';

let cli: CommandLine;
beforeAll(() => (cli = new CommandLine()));
afterAll(() => cli.remove());

it('annotations of a labeling tool are imported, trained on and detected, without an edit', async () => {
  const images = drawnImages(6);
  const source = cli.file('export');
  await drawImages(join(source, 'images'), images);
  writeFormat(source, DRAWN_FORMATS['voc']!(images));

  const imported = await cli.call('data', 'import', source, '--out', cli.file('dataset'));
  expect(imported.status, imported.stderr).toBe(0);
  expect(imported.stdout).toMatch(/^voc: /);
  expect(imported.stdout).toMatch(/3 classes: .*apple \(\d+\)/);
  const again = await cli.call('data', 'import', source, '--out', cli.file('dataset'));
  expect(again).toMatchObject({ status: 2, stdout: '' });

  const tuned = await cli.call('finetune', cli.file('dataset'), '--out', cli.file('tuned'), '--set', 'max_steps=3');
  expect(tuned.status, tuned.stderr).toBe(0);
  expect(tuned.stdout).toMatch(/run\/best: 3 steps, AP50 [\d.]+ → [\d.]+ at step \d/);
  const config = JSON.parse(readFileSync(cli.file('dataset/config.json'), 'utf8')) as Record<string, unknown>;
  expect(config).toMatchObject({ _reasons: { max_steps: expect.any(String) } });

  const image = join(source, 'images', images[0]!.name);
  const model = cli.file('tuned/run/best');
  const detected = await cli.call('detect', image, '--caption', 'apple. banana.', '--model', model, '--json');
  expect(detected.status, detected.stderr).toBe(0);
  expect(JSON.parse(detected.stdout)).toMatchObject({ width: 192, height: 128, caption: 'apple. banana.' });
}, 180_000);
