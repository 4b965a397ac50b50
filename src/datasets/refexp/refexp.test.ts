import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { expectedFile, fixtureFolder, runPreparation, temporaryFolder } from '../../../test/support/run-preparation.ts';
import { Remarks } from '../preparation/remarks.ts';
import { BadRows } from '../source/bad-rows.ts';
import { InstanceIds } from '../source/instance-ids.ts';
import { checkReferences } from './references.ts';
import { refcoco, refcocog, refcocoPlus, refexp } from './refexp.ts';

const folder = fixtureFolder('refer');

const copyOfFixture = (): string => {
  const copy = temporaryFolder();
  cpSync(folder, copy, { recursive: true });
  return copy;
};

describe('referring expressions', () => {
  it('RefCOCO from a pickle of protocol 0, checked by hand', async () => {
    const { files, report } = await runPreparation(refcoco, folder);
    const names = ['train', 'val', 'testA', 'testB'].map((split) => `finetune_refcoco_${split}.json`);
    expect(Object.keys(files)).toEqual(names);
    for (const name of names) expect(files[name], name).toEqual(expectedFile('refer', name));
    expect(report.leftOut).toEqual([{ what: 'empty expressions', count: 1, examples: ['refcoco ref_id 0'] }]);
    expect(report.notes).toMatchObject([
      { what: expect.stringContaining('crowds'), count: 1 },
      { what: expect.stringContaining('without a letter or digit'), count: 1, examples: ['refcoco ref_id 4'] },
    ]);
  });

  it('RefCOCOg from a pickle of protocol 2, with masks, checked by hand', async () => {
    const { files } = await runPreparation(refcocog, folder, { options: { masks: 'true' } });
    const names = ['train', 'val', 'test'].map((split) => `finetune_refcocog_${split}.json`);
    expect(Object.keys(files)).toEqual(names);
    for (const name of names) expect(files[name], name).toEqual(expectedFile('refer', name));
  });

  it('all three combined, with a list of validation and test images', async () => {
    const { files, report } = await runPreparation(refexp, folder);
    for (const split of ['train', 'val'])
      expect(files[`final_refexp_${split}.json`]).toEqual(expectedFile('refer', `final_refexp_${split}.json`));
    expect(report.lists).toMatchObject([{ entries: 2 }]);
  });

  it("Google's divisions, and splits that a division lacks", async () => {
    const { files, report } = await runPreparation(refcoco, folder, { options: { 'split-by': 'google' } });
    expect(Object.keys(files)).toEqual(
      ['train', 'val', 'test'].map((split) => `finetune_refcoco_google_${split}.json`),
    );
    expect(report.notes).toMatchObject([{ what: 'splits without an expression', examples: ['val'] }]);
    await expect(
      runPreparation(refcoco, folder, { splits: ['testA'], options: { 'split-by': 'google' } }),
    ).rejects.toThrow('--split testA: by google, refcoco has the splits train, val, test');
    await expect(runPreparation(refcocog, folder, { options: { 'split-by': 'google' } })).rejects.toThrow(
      /^missing: .*refcocog\/refs\(google\)\.p/,
    );
  });

  it('takes string ids', async () => {
    const copy = copyOfFixture();
    const edit = (name: string, change: (text: string) => string): void => {
      const path = join(copy, 'refcoco', name);
      writeFileSync(path, change(readFileSync(path, 'latin1')), 'latin1');
    };
    edit('refs(unc).p', (text) => text.replace(/((?:S'ann_id'\np7|S'image_id'\np9|g7|g9)\n)I(\d+)\n/g, "$1S'id-$2'\n"));
    edit('instances.json', (text) =>
      text.replace(/"image_id": (\d+)/g, '"image_id": "id-$1"').replace(/"id": (\d{2,}|9)\}/g, '"id": "id-$1"}'),
    );
    const { files } = await runPreparation(refcoco, copy, { splits: ['train'] });
    const expected = JSON.stringify(expectedFile('refer', 'finetune_refcoco_train.json'));
    expect(files['finetune_refcoco_train.json']).toEqual(
      JSON.parse(expected.replace(/"original_id":(\d+)/g, '"original_id":"id-$1"')),
    );
  });

  it("uses COCO's own file if instances.json is missing", async () => {
    const copy = copyOfFixture();
    cpSync(join(copy, 'refcoco+/instances.json'), join(copy, 'annotations/instances_train2014.json'));
    rmSync(join(copy, 'refcoco+/instances.json'));
    const { files } = await runPreparation(refcocoPlus, copy, { splits: ['train', 'val'] });
    expect(files['finetune_refcoco+_val.json']).toMatchObject({ images: [{ id: 1, caption: 'car' }] });
  });

  it('reports the first error in a file', async () => {
    const copy = copyOfFixture();
    const instances = join(copy, 'refcoco/instances.json');
    const text = readFileSync(instances, 'utf8');
    writeFileSync(instances, text.replaceAll('"id": 103', '"id": 1030'));
    await expect(runPreparation(refcoco, copy)).rejects.toThrow(
      /instances\.json: lacks 1 of the 3 annotations .* \(103\): is it the file of COCO train2014\?/,
    );
    writeFileSync(instances, text.replace('"image_id": 25, "bbox"', '"image_id": 30, "bbox"'));
    await expect(runPreparation(refcoco, copy)).rejects.toThrow(/ref_id 1: annotation 103 of .* is of image 30/);
    writeFileSync(instances, text.replace('[600, 10, 60, 40]', '[600, NaN, 60, 40]'));
    await expect(runPreparation(refcoco, copy)).rejects.toThrow(/annotations\[2\], field bbox\.1: expected number/);
    writeFileSync(instances, text.slice(0, 900));
    await expect(runPreparation(refcoco, copy)).rejects.toThrow(/instances\.json: byte \d+: .*download it again/);

    const pickle = join(copy, 'refcoco/refs(unc).p');
    const bytes = readFileSync(pickle);
    writeFileSync(pickle, bytes.subarray(0, 500));
    await expect(runPreparation(refcoco, copy)).rejects.toThrow(/refs\(unc\)\.p: truncated/);
    writeFileSync(pickle, "cos\nsystem\n(S'echo'\ntR.");
    await expect(runPreparation(refcoco, copy)).rejects.toThrow(/refs\(unc\)\.p: .*os\.system/);
    writeFileSync(pickle, 'I1\n.');
    await expect(runPreparation(refcoco, copy)).rejects.toThrow(/is not a list of references/);
  });

  it('names entry and field of an invalid reference', () => {
    expect(() =>
      checkReferences([{ ref_id: 'a' }], 'x.p', new BadRows('stop', new Remarks()), new InstanceIds()),
    ).toThrow('x.p: [0], field ann_id: expected number');
  });
});
