import { float32Tensor, int32Tensor, sizeOf, type HostTensor, type Tensor } from '../../engine/graph/index.ts';
import { qaDataset } from '../../models/index.ts';
import {
  add,
  and,
  argMax,
  cast,
  dimValue,
  div,
  equal,
  greater,
  greaterEqual,
  maximum,
  mul,
  scalar,
  sigmoid,
  sum,
  where,
} from '../../engine/ops/index.ts';
import { binaryCrossEntropy, crossEntropy } from '../cross-entropy.ts';
import type { LossConfig } from '../config.ts';
import type { LossContext, LossTerms, UnmatchedLoss } from '../loss.ts';

/**
 * Losses of question answering: one head for each kind of answer with `split_qa_heads` (section 4.2.4 of the paper), else
 * one head for all answers. Labels are the inputs `answer_type`, `answer_obj` … or `answer`, (B), negative for samples
 * without one.
 */
export const answersLoss: UnmatchedLoss = {
  name: 'answers',
  isMatched: false,
  isOn: (config) => config.do_qa,
  inputs: {
    outputs: answerOutputs,
    targets: ({ samples }, config) =>
      answerInputs(
        Object.fromEntries(
          answerOutputs(config).map((output) => {
            const name = labelOf(output);
            return [name, samples.map(({ answers }) => answers?.[name] ?? NO_LABEL)];
          }),
        ),
      ),
  },
  weight: answerWeights,
  trace: (context) =>
    context.config.split_qa_heads ? splitAnswerTerms(context, splitDataset(context.config)) : jointAnswerTerms(context),
};

/** Label of a sample that an answer head is not asked about; the index that torch's cross entropy ignores. */
export const NO_LABEL = -100;

/** Labels of a batch's questions by official name (`answer_type`, `answer_obj` …): one per sample, negative for none. */
export type AnswerLabels = Readonly<Record<string, ArrayLike<number>>>;

/** The loss program's inputs for question answering, by name. */
export const answerInputs = (labels: AnswerLabels): Record<string, HostTensor> =>
  Object.fromEntries(
    Object.entries(labels).map(([name, values]) => {
      const shape = [values.length];
      // The label of a yes/no answer is a probability.
      return [
        name,
        name === 'answer_binary' ? float32Tensor(shape, Array.from(values)) : int32Tensor(shape, Array.from(values)),
      ];
    }),
  );

/** A kind of answer and its class in `answer_type`. */
interface AnswerKind {
  readonly kind: string;
  readonly type: number;
}

const ANSWER_KINDS: Readonly<Record<'gqa' | 'clevr', readonly AnswerKind[]>> = {
  gqa: [
    { kind: 'obj', type: 0 },
    { kind: 'attr', type: 1 },
    { kind: 'rel', type: 2 },
    { kind: 'global', type: 3 },
    { kind: 'cat', type: 4 },
  ],
  clevr: [
    { kind: 'binary', type: 0 },
    { kind: 'reg', type: 2 },
    { kind: 'attr', type: 1 },
  ],
};

/** The dataset whose kinds of answers the split heads have. */
function splitDataset(config: LossConfig): 'gqa' | 'clevr' {
  return qaDataset(config)!;
}

/** Names of the outputs that answers are read from. */
function answerOutputs(config: LossConfig): readonly string[] {
  if (!config.split_qa_heads) return ['pred_answer'];
  return ['pred_answer_type', ...ANSWER_KINDS[splitDataset(config)].map(({ kind }) => `pred_answer_${kind}`)];
}

/** Name of the labels of an output. */
const labelOf = (output: string): string => output.slice('pred_'.length);

function answerWeights(config: LossConfig): Record<string, number> {
  const { qa_loss_coef: weight, clevr_answer_loss_coef: clevrWeight } = config;
  if (!config.split_qa_heads) return { loss_answer_total: weight };
  const dataset = splitDataset(config);
  // In the official code the losses of CLEVR's kinds have the weight 1; only the type follows the coefficient.
  const kindWeight = dataset === 'clevr' ? clevrWeight : weight;
  return {
    loss_answer_type: weight,
    ...Object.fromEntries(ANSWER_KINDS[dataset].map(({ kind }) => [`loss_answer_${kind}`, kindWeight])),
  };
}

/** Number of samples for which a condition (B) holds, at least 1; a scalar. */
const countOf = (condition: Tensor): Tensor => maximum(sum(cast(condition, 'float32')), 1);

const fractionOf = (condition: Tensor): Tensor =>
  div(sum(cast(condition, 'float32')), cast(dimValue(sizeOf(condition.shape)), 'float32'));

const isCorrect = (logits: Tensor, labels: Tensor): Tensor => equal(argMax(logits, 1), cast(labels, 'int64'));

/** Loss of every sample and whether its answer is correct, both (B). A yes/no head has one logit per sample. */
const scoreAnswers = (logits: Tensor, labels: Tensor): { readonly losses: Tensor; readonly correct: Tensor } =>
  logits.rank === 1
    ? {
        losses: binaryCrossEntropy(logits, labels),
        correct: equal(greater(sigmoid(logits), 0.5), greater(labels, 0.5)),
      }
    : { losses: crossEntropy(logits, labels), correct: isCorrect(logits, labels) };

/** Cross entropy averaged over the samples that have a label, as torch does with an ignored index. */
const meanCrossEntropy = (logits: Tensor, labels: Tensor): Tensor =>
  div(sum(crossEntropy(logits, labels)), countOf(greaterEqual(labels, 0)));

/**
 * Terms of split heads. The kind of the answer is learned on all samples, answers on the samples of their kind; a kind
 * that is absent from the batch has loss 0 and accuracy 1.
 *
 * Outputs: `pred_answer_type` (B, types), `pred_answer_obj` … (B, answers), `pred_answer_binary` (B).
 */
const splitAnswerTerms = ({ output, target }: LossContext, dataset: 'gqa' | 'clevr'): LossTerms => {
  const typeLogits = output('pred_answer_type');
  const batch = typeLogits.shape[0]!;
  const types = target('answer_type', [batch], 'int32');
  const isTypeCorrect = isCorrect(typeLogits, types);
  const terms: Record<string, Tensor> = {
    loss_answer_type: meanCrossEntropy(typeLogits, types),
    accuracy_answer_type: fractionOf(isTypeCorrect),
  };
  let correctOfAll: Tensor | undefined;
  for (const { kind, type } of ANSWER_KINDS[dataset]) {
    const logits = output(`pred_answer_${kind}`);
    const isOfKind = equal(types, type);
    const labels = target(`answer_${kind}`, [batch], logits.rank === 1 ? 'float32' : 'int32');
    const { losses, correct } = scoreAnswers(logits, labels);
    const correctOfKind = cast(and(correct, isOfKind), 'float32');
    const isPresent = greater(sum(cast(isOfKind, 'float32')), 0);
    terms[`loss_answer_${kind}`] = div(sum(where(isOfKind, losses, 0)), countOf(isOfKind));
    terms[`accuracy_answer_${kind}`] = where(isPresent, div(sum(correctOfKind), countOf(isOfKind)), scalar(1));
    correctOfAll = correctOfAll === undefined ? correctOfKind : add(correctOfAll, correctOfKind);
  }
  const correctBoth = mul(correctOfAll!, cast(isTypeCorrect, 'float32'));
  return { ...terms, accuracy_answer_total: fractionOf(greater(correctBoth, 0)) };
};

/** Terms of the joint head: `pred_answer` (B, answers). */
const jointAnswerTerms = ({ output, target }: LossContext): LossTerms => {
  const predAnswer = output('pred_answer');
  const labels = target('answer', [predAnswer.shape[0]!], 'int32');
  return {
    loss_answer_total: meanCrossEntropy(predAnswer, labels),
    accuracy_answer_total: fractionOf(isCorrect(predAnswer, labels)),
  };
};
