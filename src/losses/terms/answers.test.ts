import { describe, expect, it } from 'vitest';
import { expectClose, runtime } from '../../../test/support/op-check.ts';
import { loadCase } from '../../../test/support/reference-case.ts';
import { float32Tensor, type HostTensor } from '../../engine/graph/index.ts';
import { parseModelConfig } from '../../models/index.ts';
import { answerInputs, makeLossProgram, parseCriterionConfig, readLosses, type AnswerLabels } from '../index.ts';

const reference = loadCase('criterion');
const batches = reference.json['qa'] as Readonly<
  Record<string, { readonly answers: AnswerLabels; readonly results: Readonly<Record<string, number>> }>
>;

const predictionsOf = (name: string): Record<string, HostTensor> =>
  Object.fromEntries(
    reference.names
      .filter((tensor) => tensor.startsWith(`qa.${name}.pred_`))
      .map((tensor) => {
        const { shape, data } = reference.typed(tensor, 'f32');
        return [tensor.slice(`qa.${name}.`.length), float32Tensor(shape, data)];
      }),
  );

const lossesOf = async (
  name: string,
  labels: AnswerLabels,
): Promise<ReturnType<typeof readLosses> & { results: Record<string, HostTensor> }> => {
  const values = {
    do_qa: true,
    no_detection: true,
    split_qa_heads: name !== 'gqa-unified',
    qa_dataset: name.startsWith('gqa') ? 'gqa' : 'clevr',
  };
  const outputs = predictionsOf(name);
  const shapes = Object.fromEntries(Object.entries(outputs).map(([output, { shape }]) => [output, shape]));
  const { program, termNames } = makeLossProgram({ ...parseModelConfig(values), ...parseCriterionConfig({}) }, shapes);
  const session = await runtime.load(program);
  try {
    const results = await session.run({ ...outputs, ...answerInputs(labels) });
    return { ...readLosses(results, termNames), results };
  } finally {
    await session.dispose();
  }
};

describe('losses of question answering', () => {
  it.each(Object.keys(batches))('%s: losses, accuracies, gradients', async (name) => {
    const { answers, results: expected } = batches[name]!;
    const { terms, total, results } = await lossesOf(name, answers);
    expect(Object.keys(terms)).toEqual(expect.arrayContaining(Object.keys(expected)));
    expect(Object.keys(terms)).toHaveLength(Object.keys(expected).length);
    for (const [term, value] of Object.entries(expected))
      expect(Math.abs(terms[term]! - value), term).toBeLessThanOrEqual(1e-5 * Math.abs(value));
    const sum = Object.entries(expected).reduce(
      (all, [term, value]) => all + (term.startsWith('loss_') ? value : 0),
      0,
    );
    expect(Math.abs(total - sum)).toBeLessThanOrEqual(1e-5 * sum);

    for (const output of Object.keys(predictionsOf(name))) {
      const { shape, data } = reference.typed(`qa.${name}.grad.${output}`, 'f32');
      const { dtype, data: got, shape: gotShape } = results[`d_${output}`]!;
      expectClose(
        { dtype, shape: gotShape, data: Array.from(got, Number) },
        { dtype: 'float32', shape, data: [...data] },
        1e-6,
      );
    }
  });

  it('takes a joint answer without a label as no answer', async () => {
    const answers = batches['gqa-unified']!.answers['answer']!;
    const labels = Array.from(answers, (label, sample) => (sample < 4 ? label : -100));
    const { terms } = await lossesOf('gqa-unified', { answer: labels });
    const logits = predictionsOf('gqa-unified')['pred_answer']!;
    const row = (sample: number): number[] => Array.from(logits.data, Number).slice(sample * 1853, (sample + 1) * 1853);
    const losses = labels
      .slice(0, 4)
      .map((label, sample) => Math.log(row(sample).reduce((all, x) => all + Math.exp(x), 0)) - row(sample)[label]!);
    expect(terms['loss_answer_total']).toBeCloseTo(losses.reduce((all, x) => all + x, 0) / 4, 4);
    const none = await lossesOf('gqa-unified', { answer: labels.map(() => -100) });
    expect(none.terms).toEqual({ loss_answer_total: 0, accuracy_answer_total: 0 });
  });
});
