import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { convertModel } from './convert.ts';
import { openModelSource } from './model-source.ts';

const trained = fileURLToPath(new URL('../../../test/fixtures/compat-f312c71/model', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'mdetr-version-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const configOf = (folder: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>;

/** A copy of a model folder with another version. */
const folderOfVersion = (version: unknown): string => {
  const folder = join(mkdtempSync(join(root, 'model-')), 'model');
  cpSync(trained, folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...configOf(folder), mdetr_version: version }));
  return folder;
};

describe('the version of a model folder', () => {
  it('is written, and read with and without it', async () => {
    const copy = join(root, 'copy');
    expect(configOf(trained)).not.toHaveProperty('mdetr_version');
    await convertModel(trained, copy);
    expect(configOf(copy)).toMatchObject({ mdetr_version: 1 });
    await (await openModelSource(copy)).close();
  });

  it.each([
    [2, /config\.json: has version 2; this release reads model folders up to version 1\. Update mdetr\./],
    ['new', /config\.json: "mdetr_version" is "new", not a version/],
    [0, /config\.json: "mdetr_version" is 0, not a version/],
  ])('is refused if it is %j', async (version, message) => {
    await expect(openModelSource(folderOfVersion(version))).rejects.toThrow(message);
  });

  it('holds for the calibration beside a weight file', async () => {
    const weights = join(root, 'weights.safetensors');
    await convertModel(trained, weights);
    const calibration = {
      threshold: 0.5,
      presence: 0.4,
      data: { name: 'x', images: 1, captions: 1, boxes: 1, present_phrases: 1, absent_phrases: 0 },
    };
    const write = (version: number): void =>
      writeFileSync(join(root, 'weights.calibration.json'), JSON.stringify({ mdetr_version: version, calibration }));
    write(1);
    const opened = await openModelSource(weights, { tokenizer: trained });
    expect(opened.calibration).toEqual(calibration);
    await opened.close();
    write(2);
    await expect(openModelSource(weights, { tokenizer: trained })).rejects.toThrow(
      /weights\.calibration\.json: has version 2; this release reads model folders up to version 1/,
    );
  });
});
