import { input, type Dim, type Tensor } from '../../engine/graph/index.ts';
import type { DecodedLayer, EncoderCache } from '../../models/index.ts';
import { add, concat, div, fill, scalar, slice, unsqueeze } from '../../engine/ops/index.ts';
import { attentionLoss } from './attention-loss.ts';

/** So many heads of a layer look at what is asked about; the others are free. */
const lookingHeads = 2;
/**
 * A helper loss on the question queries: in some heads of the given layers they learn to look at the places of the
 * picture that show what the question is about. No parameters of its own; questions about nothing that is there count
 * nothing.
 *
 * Input: `auxiliary_answer_positions` (B, h·w).
 */
export const answerAttentionLoss = (layers: readonly DecodedLayer[], cache: EncoderCache): Tensor => {
  const [batch, places] = cache.imageMemory.shape as [Dim, Dim];
  const ofImage = input('auxiliary_answer_positions', [batch, places]);
  const ofText = fill(0, [batch, cache.textMemory.shape[1]!]);
  const wanted = unsqueeze(unsqueeze(concat([ofImage, ofText], 1), 1), 1); // (B, 1, 1, S)
  const losses = layers.map(({ attention }) => {
    const probabilities = slice(attention(), 1, 0, lookingHeads); // (B, heads, n, S)
    const [, heads, queries] = probabilities.shape as [Dim, number, number];
    return attentionLoss(probabilities, wanted, heads * queries);
  });
  return div(losses.reduce(add), scalar(layers.length));
};
