import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BenchmarkFixture, imageRow } from '../../test/support/benchmark-fixture.ts';

let fixture: BenchmarkFixture;

beforeAll(async () => {
  fixture = await BenchmarkFixture.create();
});

afterAll(() => fixture.remove());

describe('benchmarks of questions', () => {
  const question = (index: number, words: string, answer: string | undefined, last: string) => ({
    image_filename: `${1 + (index % 2)}.png`,
    question: words,
    question_index: index,
    answer,
    program: [{ function: 'scene' }, { function: last }],
  });
  const questions = (answers: readonly (string | undefined)[]) => ({
    info: {},
    questions: [
      question(10, 'how many cubes are there?', answers[0], 'count'),
      question(11, 'is there a red cube?', answers[1], 'exist'),
    ],
  });

  it('CLEVR: computes accuracy by family, from the question file or beside an annotation file', async () => {
    const file = fixture.write('CLEVR_val_questions.json', questions(['3', 'no']));
    const predictions = fixture.save('clevr.jsonl', 'clevr', [
      { questionId: 11, prediction: 'no', type: 'binary' },
      { questionId: 10, prediction: '2', type: 'reg' },
    ]);
    const { results } = await fixture.evaluate({ task: 'clevr', annotations: file, predictions });
    expect(results[0]!.metrics).toMatchObject({
      accuracy: 0.5,
      'question/count': 0,
      'question/exist': 1,
      type_accuracy: 1,
    });
    const rows = fixture.write('clevr_rows.json', {
      images: [{ ...imageRow(1, 'is there a red cube?', { answer: 'no' }), file_name: '2.png' }],
      annotations: [],
    });
    const byRow = fixture.save('clevr2.jsonl', 'clevr', [{ questionId: 1, prediction: 'yes' }]);
    const beside = await fixture.evaluate({ task: 'clevr', annotations: rows, groundTruth: file, predictions: byRow });
    expect(beside.results[0]!.metrics).toEqual({
      accuracy: 0,
      'answer/binary': 0,
      'function/exist': 0,
      'question/exist': 0,
    });
    const other = fixture.write('other_questions.json', { questions: [] });
    await expect(
      fixture.evaluate({ task: 'clevr', annotations: rows, groundTruth: other, predictions: byRow }),
    ).rejects.toThrow(/has only 0 of the 1 questions/);
  });

  it('names the row without an answer, or skips it', async () => {
    const file = fixture.write('CLEVR_val_questions.json', questions(['3', undefined]));
    const predictions = fixture.save('clevr3.jsonl', 'clevr', [{ questionId: 10, prediction: '3', type: 'reg' }]);
    const request = { task: 'clevr', annotations: file, predictions } as const;
    await expect(fixture.evaluate(request)).rejects.toThrow(`${file}: row 1: row with image id 1 has no "answer"`);
    const { results, warnings } = await fixture.evaluate({ ...request, onBadRow: 'skip' });
    expect(results[0]!.metrics).toMatchObject({ accuracy: 1 });
    expect(warnings).toContain('1 bad rows were skipped');
  });

  it('CLEVR: runs the model, also on a test set, and makes the submission file', async () => {
    const val = fixture.write('CLEVR_val_questions.json', questions(['3', 'no']));
    await fixture.expectRoundTrip({ task: 'clevr', annotations: val }, (lines) => expect(lines).toHaveLength(2));
    const test = fixture.write('CLEVR_test_questions.json', questions([undefined, undefined]));
    await expect(fixture.evaluate({ task: 'clevr', annotations: test })).rejects.toThrow(
      /has no "answer".*--submission FILE/,
    );
    const { results, warnings, submission } = await fixture.evaluate({
      task: 'clevr',
      annotations: test,
      wantsSubmission: true,
    });
    expect(results[0]!.metrics).toEqual({});
    expect(warnings).toEqual(['the file has no answers, so no metrics can be computed']);
    expect(submission!().trim().split('\n')).toHaveLength(2);
  });

  it('CLEVR-Humans: reads its own file, and the prepared one of the same name', async () => {
    const own = { image_filename: '1.png', question: 'any red thing?', answer: 'yes' };
    const predictions = fixture.save('humans.jsonl', 'clevr', [{ questionId: 0, prediction: 'yes' }]);
    for (const content of [
      { questions: [own] },
      { images: [{ ...imageRow(0, own.question, { answer: own.answer }), file_name: '1.png' }], annotations: [] },
    ]) {
      const annotations = fixture.write('CLEVR-Humans-val.json', content);
      const { results } = await fixture.evaluate({ task: 'clevr', annotations, predictions });
      expect(results[0]!.metrics).toMatchObject({ accuracy: 1 });
    }
    const file = fixture.write('CLEVR-Humans-val.json', { questions: [own] });
    await expect(fixture.evaluate({ task: 'coco', annotations: file, predictions })).rejects.toThrow(
      /evaluate it with --task clevr/,
    );
    const broken = fixture.write('CLEVR-Humans-test.json', '{"questions": [');
    await expect(fixture.evaluate({ task: 'clevr', annotations: broken, predictions })).rejects.toThrow(
      /CLEVR-Humans-test/,
    );
  });

  it("GQA: computes accuracy by type, more with GQA's question file, and makes the submission file", async () => {
    const annotations = fixture.write('finetune_gqa_testdev_balanced.json', {
      images: [
        imageRow(1, 'Is there a dog?', { answer: 'yes', question_type: 'obj', questionId: '201' }),
        imageRow(2, 'What color is it?', { answer: 'red', question_type: 'attr', questionId: '202' }),
      ],
      annotations: [],
    });
    const predictions = fixture.save('gqa.jsonl', 'gqa', [
      { questionId: '201', prediction: 'yes', type: 'obj' },
      { questionId: '202', prediction: 'blue', type: 'obj' },
    ]);
    const { results, submission } = await fixture.evaluate({ task: 'gqa', annotations, predictions });
    expect(results[0]!.metrics).toMatchObject({
      accuracy: 0.5,
      'semantic/obj': 1,
      'semantic/attr': 0,
      type_accuracy: 0.5,
    });
    expect(JSON.parse(submission!())).toEqual([
      { questionId: '201', prediction: 'yes' },
      { questionId: '202', prediction: 'blue' },
    ]);
    const types = (structural: string) => ({ structural, semantic: 'obj', detailed: 'exist' });
    const groundTruth = fixture.write('testdev_balanced_questions.json', {
      '201': { question: 'Is there a dog?', isBalanced: true, types: types('verify'), semantic: [] },
      '202': { question: 'What color is it?', isBalanced: true, types: types('query'), semantic: [] },
      '203': { question: 'Not in the rows', types: types('query') },
    });
    const more = await fixture.evaluate({ task: 'gqa', annotations, predictions, groundTruth });
    expect(more.results[0]!.metrics).toMatchObject({
      'structural/verify': 1,
      'structural/query': 0,
      binary: 1,
      open: 0,
    });
  });
});
