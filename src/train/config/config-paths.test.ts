import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfigFile } from './config-file.ts';
import { withEvaluationPaths } from './config-paths.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'mdetr-config-paths-')));
const previous = process.cwd();
beforeAll(() => {
  for (const folder of ['work', 'configs/images']) mkdirSync(join(root, folder), { recursive: true });
  for (const file of ['configs/train.json', 'configs/both.json', 'work/both.json', 'work/here.json', 'configs/vg'])
    writeFileSync(join(root, file), '{}');
  symlinkSync(join(root, 'configs/train.json'), join(root, 'work/train.json'));
  process.chdir(join(root, 'work'));
});
afterAll(() => {
  process.chdir(previous);
  rmSync(root, { recursive: true, force: true });
});

const configPath = join(root, 'configs/my.json');
const read = async (values: unknown, ...settings: string[]): Promise<Record<string, unknown>> => {
  writeFileSync(configPath, JSON.stringify(values));
  // As on a command line: relative to the working folder.
  const { stages } = await readConfigFile(relative('.', configPath), settings);
  return stages.at(-1)!.values;
};

describe('paths that a config file reads', () => {
  it('are found beside the file, also in datasets and stages', async () => {
    const values = await read({
      datasets_val: [{ scenes: 'images' }, { scenes: { images: 3 } }],
      stages: [{ datasets: [{ annotations: 'both2.json', images: { coco: 'images', vg: 'vg' } }] }],
      vg_img_path: 'vg',
      backbone_weights: 'train2.json',
    });
    expect(values).toMatchObject({
      datasets: [{ annotations: 'both2.json', images: { coco: '../configs/images', vg: '../configs/vg' } }],
      datasets_val: [{ scenes: '../configs/images' }, { scenes: { images: 3 } }],
      vg_img_path: '../configs/vg',
      backbone_weights: 'train2.json',
    });
  });

  it('are found beside the file in its evaluate section, too', async () => {
    const section = { task: 'phrasecut', annotations: 'both2.json', images: { coco: 'images' }, ground_truth: 'vg' };
    expect(await withEvaluationPaths(section, relative('.', configPath))).toEqual({
      ...section,
      images: { coco: '../configs/images' },
      ground_truth: '../configs/vg',
    });
    await expect(withEvaluationPaths({ annotations: 'both.json' }, configPath)).rejects.toThrow(
      /"evaluate\.annotations" is "both\.json"/,
    );
  });

  it('are otherwise relative to the working folder, or names', async () => {
    const values = { load: 'default', tokenizer: 'here.json', output_dir: 'images', frozen_weights: '/absolute' };
    expect(await read(values)).toEqual(values);
  });

  it('that exist in both places are refused, unless they are the same file', async () => {
    await expect(read({ load: 'both.json' })).rejects.toThrow(
      `"load" is "both.json", which exists beside the config (${join(root, 'configs/both.json')}) and in the working folder (${join(root, 'work/both.json')})`,
    );
    await expect(read({ datasets: [{ annotations: 'both.json', images: 'x' }] })).rejects.toThrow(
      /"datasets\.0\.annotations" is "both\.json"/,
    );
    expect(await read({ load: 'train.json' })).toEqual({ load: 'train.json' });
  });

  it('given as settings are relative to the working folder', async () => {
    const values = await read(
      { output_dir: 'runs' },
      'load=train.json',
      'datasets=[{"scenes":"images"}]',
      'vg_img_path=vg',
    );
    expect(values).toEqual({
      output_dir: 'runs',
      load: 'train.json',
      datasets: [{ scenes: 'images' }],
      vg_img_path: 'vg',
    });
  });
});
