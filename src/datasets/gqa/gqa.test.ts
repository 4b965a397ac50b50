import { cpSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { expectedFile, fixtureFolder, runPreparation, temporaryFolder } from '../../../test/support/run-preparation.ts';
import { gqa } from './gqa.ts';

const folder = fixtureFolder('gqa');

const copyOfFixture = (): string => {
  const copy = temporaryFolder();
  cpSync(folder, copy, { recursive: true });
  return copy;
};

interface Rows {
  readonly images: readonly Record<string, unknown>[];
  readonly annotations: readonly unknown[];
}

const finetune = { options: { for: 'finetune' } };

describe('gqa', () => {
  it('writes the official files', async () => {
    // The expected files are the official script's, checked by hand, without the box of question 101, whose name is not
    // in the question (the script assigns it to "Is"), and without an object called "__proto__".
    const { files, report, out } = await runPreparation(gqa, folder, { splits: ['train', 'val', 'testdev', 'test'] });
    expect(readFileSync(join(out, 'gqa_unsafe_ids.txt'), 'utf8')).toBe('9\n');
    for (const split of ['train', 'val', 'testdev', 'test']) {
      const name = `finetune_gqa_${split}_balanced.json`;
      expect(files[name], name).toEqual(expectedFile('gqa', name));
    }
    expect(report.leftOut).toEqual([
      { what: 'selected objects whose name is not in the question', count: 1, examples: ['101'] },
      { what: 'objects missing in the scene graph', count: 2, examples: ['102', '__proto__'] },
      { what: 'annotations of words outside the question', count: 1, examples: ['105'] },
      { what: 'questions about images without a scene graph', count: 1, examples: ['image 8'] },
    ]);
    expect(report.notes).toEqual([{ what: 'boxes without area, which readers skip', count: 1, examples: ['102'] }]);
  });

  it('writes submission files with one size, and reports an unknown test image', async () => {
    const all = { splits: ['submission'], options: { questions: 'all' } };
    const { files } = await runPreparation(gqa, folder, all);
    expect(files).toEqual({
      'finetune_gqa_submission_all.json': expectedFile('gqa', 'finetune_gqa_submission_all.json'),
    });
    const copy = copyOfFixture();
    const path = join(copy, 'questions1.2/testdev_balanced_questions.json');
    writeFileSync(path, JSON.stringify({ 1: { imageId: 'n77', question: 'Why?' } }));
    await expect(runPreparation(gqa, copy, { splits: ['testdev'] })).rejects.toThrow(
      /testdev_balanced_questions\.json \["1"\]: .*image_info_test2015\.json has no image n77/,
    );
  });

  it('writes files for pre-training: the same boxes, no answers, and data_source for combining', async () => {
    const { files } = await runPreparation(gqa, folder, { splits: ['train', 'val'], options: { for: 'pretrain' } });
    expect(Object.keys(files).sort()).toEqual(['final_gqa_train.json', 'final_gqa_val.json']);
    const expected = expectedFile('gqa', 'finetune_gqa_train_balanced.json') as Rows;
    const made = files['final_gqa_train.json'] as Rows;
    expect(made.annotations).toEqual(expected.annotations);
    for (const [i, { question_type: _, answer: __, questionId: ___, ...image }] of expected.images.entries())
      expect(made.images[i]).toEqual({ ...image, data_source: 'vg' });
  });

  it('assigns ids to answers by descending frequency', async () => {
    const { out } = await runPreparation(gqa, folder, {
      splits: ['train', 'val'],
      options: { for: 'finetune', 'answer-tables': 'true' },
    });
    const table = (name: string): unknown => JSON.parse(readFileSync(join(out, name), 'utf8'));
    expect(table('gqa_answer2id.json')).toEqual({
      yes: 0,
      no: 1,
      cat: 2,
      left: 3,
      man: 4,
      people: 5,
      wood: 6,
      unknown: 7,
    });
    expect(table('gqa_answer2id_by_type.json')).toMatchObject({
      answer_attr: { no: 0, wood: 1, yes: 2, unknown: 3 },
      answer_cat: { unknown: 0 },
    });
  });

  it('names file and entry of invalid values, and leaves no file', async () => {
    const copy = copyOfFixture();
    const questions = join(copy, 'questions1.2/train_balanced_questions.json');
    const graphs = join(copy, 'sceneGraphs/train_sceneGraphs.json');
    const train = { splits: ['train'], ...finetune };
    const broken = async (path: string, content: string, message: RegExp): Promise<void> => {
      const before = readFileSync(path, 'utf8');
      writeFileSync(path, content);
      const out = temporaryFolder();
      await expect(runPreparation(gqa, copy, { ...train, out })).rejects.toThrow(message);
      expect(readdirSync(out)).toEqual([]);
      writeFileSync(path, before);
    };
    await broken(
      questions,
      '{"1":{"imageId":7}}',
      /train_balanced_questions\.json \["1"\], field imageId: expected string/,
    );
    await broken(questions, '{"1":{"imageId":"7"}}', /\["1"\], field question: expected string/);
    await broken(questions, '[]', /expected an object with an entry per key/);
    await broken(
      questions,
      '{"1":{"imageId":"7","question":"a b","annotations":{"question":{"0":{}}}}}',
      /\["1"\], field annotations\.question\.0: expected string/,
    );
    await broken(graphs, '{"7":{"width":0,"height":1,"objects":{}}}', /train_sceneGraphs\.json \["7"\], field width/);
    await broken(
      graphs,
      '{"7":{"width":5,"height":1,"objects":{"1":{"x":"1"}}}}',
      /\["7"\], field objects\.1\.x: expected number/,
    );
    truncateSync(questions, 500);
    await expect(runPreparation(gqa, copy, train)).rejects.toThrow(
      /byte \d+: .*if the file is truncated, download it again/,
    );
  });

  it('lists missing files', async () => {
    await expect(
      runPreparation(gqa, temporaryFolder(), { splits: ['train', 'testdev'], options: { questions: 'all' } }),
    ).rejects.toThrow(/train_all_questions_9\.json.*sceneGraphs\.zip.*image_info_test2015\.json/);
  });
});
