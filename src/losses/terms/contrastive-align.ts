import { float32Tensor, type Tensor } from '../../engine/graph/index.ts';
import { add, div, greater, logSumExp, matmul, mul, neg, sum, swapLastTwo, where } from '../../engine/ops/index.ts';
import type { MatchedLoss } from '../loss.ts';
import { boxesDim } from '../matched-pairs.ts';
import { requireField } from '../targets.ts';
import { alignmentMap } from './alignment-map.ts';

/**
 * Contrastive alignment of queries and tokens (section 2.2 of the paper): InfoNCE between the projection of a matched
 * query and those of its box's tokens, against all tokens of the caption including padding; and the same from every token
 * to the queries of its boxes. The mean of both directions, divided by the number of boxes.
 */
export const contrastiveAlignLoss: MatchedLoss = {
  name: 'contrastive_align',
  isMatched: true,
  isOn: (config) => config.contrastive_align_loss,
  inputs: {
    outputs: () => ['proj_queries', 'proj_tokens'],
    targets: ({ samples, captions }, config) => {
      const spans = requireField(samples, 'tokensPositive', 'contrastive_align_loss');
      if (captions === undefined) throw new Error('internal: the alignment loss needs the tokens of the captions');
      const { encodings, tokens } = captions;
      const map = alignmentMap(spans, encodings, tokens, config.align_fallback);
      return { alignment_map: float32Tensor([spans.flat().length, tokens], map) };
    },
  },
  weight: (config) => ({ loss_contrastive_align: config.contrastive_align_loss_coef }),
  trace: ({ config, output, target, pairs, numBoxes }) => {
    const projTokens = output('proj_tokens'); // (B, T, 64), unit length
    const projQueries = output('proj_queries'); // (L, B, Q, 64), unit length
    const positiveTokens = target('alignment_map', [boxesDim, projTokens.shape[1]!]);
    const logits = div(matmul(projQueries, swapLastTwo(projTokens)), config.temperature_NCE); // (L, B, Q, T)
    const positive = pairs.targetsByQuery(positiveTokens);
    const boxToTokens = contrast(logits, positive, 3);
    const tokenToBoxes = contrast(logits, positive, 2);
    return { loss_contrastive_align: div(mul(add(boxToTokens, tokenToBoxes), 0.5), numBoxes) };
  },
};

/** Sum of −mean(positive logits) + logsumexp(all logits) along `axis`, over the rows that have positives → (L). */
const contrast = (logits: Tensor, positive: Tensor, axis: 2 | 3): Tensor => {
  const count = sum(positive, [axis]);
  const attraction = div(neg(sum(mul(logits, positive), [axis])), add(count, 1e-6));
  return sum(where(greater(count, 0), add(attraction, logSumExp(logits, [axis])), 0), [1, 2]);
};
