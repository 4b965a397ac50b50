import { input, sizeOf, type Dim, type Tensor } from '../engine/graph/index.ts';
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
} from '../engine/ops/index.ts';
import { binaryCrossEntropy, crossEntropy } from './cross-entropy.ts';
import type { LossTerms } from './terms.ts';

/** A kind of answer and the number that stands for it in `answer_type`. */
interface AnswerKind {
  readonly kind: string;
  readonly type: number;
}

const answerKinds: Readonly<Record<'gqa' | 'clevr', readonly AnswerKind[]>> = {
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

/** The names of the outputs that answers are read from. */
export const answerOutputs = (heads: 'gqa' | 'clevr' | 'joint'): readonly string[] =>
  heads === 'joint'
    ? ['pred_answer']
    : ['pred_answer_type', ...answerKinds[heads].map(({ kind }) => `pred_answer_${kind}`)];

/** Number of samples that a condition (B) holds for, at least 1. */
const countOf = (condition: Tensor): Tensor => maximum(sum(cast(condition, 'float32')), 1);

const hits = (logits: Tensor, labels: Tensor): Tensor => equal(argMax(logits, 1), cast(labels, 'int64'));

/** Loss of every sample and whether its answer is right, both (B). Of two answers there is one logit. */
const judge = (logits: Tensor, labels: Tensor): { readonly losses: Tensor; readonly right: Tensor } =>
  logits.rank === 1
    ? {
        losses: binaryCrossEntropy(logits, labels),
        right: equal(greater(sigmoid(logits), 0.5), greater(labels, 0.5)),
      }
    : { losses: crossEntropy(logits, labels), right: hits(logits, labels) };

/** The mean over samples that have a label, as torch's cross entropy takes it. */
const meanCrossEntropy = (logits: Tensor, labels: Tensor): Tensor =>
  div(sum(crossEntropy(logits, labels)), countOf(greaterEqual(labels, 0)));

const fractionOf = (condition: Tensor): Tensor =>
  div(sum(cast(condition, 'float32')), cast(dimValue(sizeOf(condition.shape)), 'float32'));

/**
 * Losses of question answering with one head for each kind of answer (section 4.2.4 of the paper). The kind is learned
 * on all samples, answers on the samples of their kind; a kind that no sample of the batch has costs 0 and counts as
 * right. Labels come in as `answer_type`, `answer_obj` …, (B), below 0 where a sample has none.
 *
 * @param predictions `pred_answer_type` (B, types), `pred_answer_obj` … (B, answers), `pred_answer_binary` (B)
 */
export const splitAnswerLosses = (
  predictions: Readonly<Record<string, Tensor>>,
  dataset: 'gqa' | 'clevr',
): LossTerms => {
  const typeLogits = predictions['pred_answer_type']!;
  const batch = typeLogits.shape[0]!;
  const types = answerLabels('answer_type', batch);
  const typeRight = hits(typeLogits, types);
  const terms: Record<string, Tensor> = {
    loss_answer_type: meanCrossEntropy(typeLogits, types),
    accuracy_answer_type: fractionOf(typeRight),
  };
  let wholly: Tensor | undefined;
  for (const { kind, type } of answerKinds[dataset]) {
    const logits = predictions[`pred_answer_${kind}`]!;
    const ofKind = equal(types, type);
    const { losses, right } = judge(
      logits,
      answerLabels(`answer_${kind}`, batch, logits.rank === 1 ? 'float32' : 'int32'),
    );
    const rightOfKind = cast(and(right, ofKind), 'float32');
    const present = greater(sum(cast(ofKind, 'float32')), 0);
    terms[`loss_answer_${kind}`] = div(sum(where(ofKind, losses, 0)), countOf(ofKind));
    terms[`accuracy_answer_${kind}`] = where(present, div(sum(rightOfKind), countOf(ofKind)), scalar(1));
    wholly = wholly === undefined ? rightOfKind : add(wholly, rightOfKind);
  }
  return { ...terms, accuracy_answer_total: fractionOf(greater(mul(wholly!, cast(typeRight, 'float32')), 0)) };
};

/** One head for all answers: pred_answer (B, answers); labels come in as `answer`, (B). */
export const jointAnswerLosses = (predAnswer: Tensor): LossTerms => {
  const labels = answerLabels('answer', predAnswer.shape[0]!);
  return {
    loss_answer_total: meanCrossEntropy(predAnswer, labels),
    accuracy_answer_total: fractionOf(hits(predAnswer, labels)),
  };
};

const answerLabels = (name: string, batch: Dim, dtype: 'int32' | 'float32' = 'int32'): Tensor =>
  input(name, [batch], dtype);
