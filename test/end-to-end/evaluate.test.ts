import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allBenchmarks } from '../../src/benchmarks/registry.ts';
import { CommandLine, expectRefusal } from '../support/run-mdetr.ts';

const mdetr = new CommandLine();

const write = (name: string, lines: readonly unknown[]): void =>
  writeFileSync(mdetr.file(name), lines.map((line) => JSON.stringify(line)).join('\n'));

beforeAll(() => {
  const question = (question_index: number, question: string, answer: string, last: string) => ({
    question_index,
    question,
    answer,
    image_filename: 'CLEVR_val_000000.png',
    program: [{ function: 'scene' }, { function: last }],
  });
  write('CLEVR_val_questions.json', [
    { info: {}, questions: [question(0, 'how many cubes?', '3', 'count'), question(1, 'any cubes?', 'yes', 'exist')] },
  ]);
  write('answers.jsonl', [
    { mdetr_predictions: 'clevr' },
    { questionId: 1, prediction: 'yes' },
    { questionId: 0, prediction: '4' },
  ]);
});

afterAll(() => mdetr.remove());

describe('mdetr evaluate', () => {
  const clevr = ['evaluate', '--task', 'clevr', '--annotations', 'CLEVR_val_questions.json'];

  it('evaluates saved predictions without a model: table, JSON and submission file', async () => {
    const outputs = ['--json', 'metrics.json', '--submission', 'answers.txt'];
    const { status, stdout, stderr } = await mdetr.call(...clevr, '--predictions', 'answers.jsonl', ...outputs);
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/^accuracy +0\.5000$/m);
    expect(stdout).toMatch(/^question\/exist +1\.0000$/m);
    const { results } = JSON.parse(readFileSync(mdetr.file('metrics.json'), 'utf8')) as { results: unknown[] };
    expect(results).toMatchObject([{ title: 'clevr', count: 2, metrics: { accuracy: 0.5, 'question/count': 0 } }]);
    expect(readFileSync(mdetr.file('answers.txt'), 'utf8')).toBe('4\nyes\n');
  });

  it('reads a config; options take precedence', async () => {
    write('config.json', [{ evaluate: { task: 'clevr', annotations: 'nowhere_questions.json', limit_by: 'image' } }]);
    const config = ['evaluate', 'config.json', '--predictions', 'answers.jsonl'];
    expectRefusal(await mdetr.call(...config), 1, /nowhere_questions\.json: no such annotation file/);
    expect((await mdetr.call(...config, '--annotations', 'CLEVR_val_questions.json')).status).toBe(0);
  });

  it('generates the scenes of a config', async () => {
    const evaluate = (scene: object) => ({ evaluate: { task: 'scenes', seed: 3, count: 2, scene } });
    const size = { width: 96, height: 64 };
    write('small.json', [evaluate({ ...size, min_objects: 2, max_objects: 2 })]);
    const { status, stderr } = await mdetr.call('evaluate', 'small.json', '--json', 'small-metrics.json');
    expect(status, stderr).toBe(0);
    const { results } = JSON.parse(readFileSync(mdetr.file('small-metrics.json'), 'utf8')) as {
      results: { title: string; metrics: Record<string, number> }[];
    };
    expect(results.map(({ title }) => title)).toEqual(['standard', 'items']);
    expect(results[1]!.metrics).toMatchObject({ 'referring precision@1': 2, 'referring precision@1, 2 objects': 2 });
    write('crowded.json', [evaluate({ max_objects: 99 })]);
    expectRefusal(await mdetr.call('evaluate', 'crowded.json'), 2, /maxObjects is 99/);
    write('wrong.json', [evaluate({ objects: 2 })]);
    expectRefusal(await mdetr.call('evaluate', 'wrong.json'), 1, /evaluate\.scene: .*objects/);
  });

  it('refuses wrong calls', async () => {
    expectRefusal(await mdetr.call('evaluate'), 2, /no benchmark given/);
    expectRefusal(await mdetr.call('evaluate', '--task', 'flickr'), 2, /needs --annotations FILE/);
    const flickr = ['evaluate', '--task', 'flickr', '--annotations', 'a_val.json'];
    expectRefusal(await mdetr.call(...flickr), 2, /needs --ground-truth DIR, the folder of Flickr30k Entities/);
    expectRefusal(
      await mdetr.call(
        'evaluate',
        '--task',
        'refexp',
        '--annotations',
        'a.json',
        '--submission',
        'b',
        '--predictions',
        'c',
      ),
      2,
      /no test server accepts results of --task refexp/,
    );
    expectRefusal(
      await mdetr.call('evaluate', '--task', 'scenes', '--predictions', 'answers.jsonl'),
      2,
      /--predictions: predictions of --task scenes cannot be saved/,
    );
    write('gqa.jsonl', [{ mdetr_predictions: 'gqa' }]);
    expectRefusal(
      await mdetr.call(...clevr, '--predictions', 'gqa.jsonl'),
      1,
      /holds predictions for gqa, not for clevr/,
    );
  });

  it('lists the benchmarks with the options that they need', async () => {
    const { status, stdout } = await mdetr.call('evaluate', '--list');
    expect(status).toBe(0);
    for (const { name, description } of allBenchmarks()) {
      expect(stdout).toContain(`${name} `);
      expect(stdout).toContain(description);
    }
    expect(stdout).toMatch(/^ +needs --annotations FILE, --images DIR, --ground-truth DIR$/m);
  });

  it('accepts the old names of --ground-truth, with one note', async () => {
    const old = await mdetr.call(...clevr, '--predictions', 'answers.jsonl', '--truth', 'CLEVR_val_questions.json');
    expect(old.status, old.stderr).toBe(0);
    expect(old.stderr).toMatch(/--truth is now called --ground-truth/);
    write('old.json', [
      { evaluate: { task: 'clevr', annotations: 'CLEVR_val_questions.json', truth: 'CLEVR_val_questions.json' } },
    ]);
    const config = await mdetr.call('evaluate', 'old.json', '--predictions', 'answers.jsonl');
    expect(config.status, config.stderr).toBe(0);
    expect(config.stderr).toMatch(/"truth" is now called "ground_truth"/);
  });
});
