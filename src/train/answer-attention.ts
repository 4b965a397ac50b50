import { input, type Tensor } from '../graph/index.ts';
import type { DecodedLayer, EncoderCache } from '../models/index.ts';
import {
  add,
  cast,
  concat,
  div,
  fill,
  greater,
  log,
  maximum,
  mul,
  neg,
  scalar,
  slice,
  sum,
  unsqueeze,
} from '../ops/index.ts';

/** So many heads of a layer look at what is asked about; the others are free. */
const lookingHeads = 2;
/** Keeps the logarithm finite where a head looks anywhere else. */
const leastMass = 1e-4;

/**
 * A helper loss on the question queries: in some heads of the given layers they learn to look at the places of the
 * picture that show what the question is about. No parameters of its own; questions about nothing that is there count
 * nothing.
 *
 * Input: `helper_answer_places` (B, h·w).
 */
export const answerAttentionLoss = (layers: readonly DecodedLayer[], cache: EncoderCache): Tensor => {
  const [batch, places] = cache.imageMemory.shape as [Tensor['shape'][number], Tensor['shape'][number]];
  const ofImage = input('helper_answer_places', [batch, places]);
  const wanted = concat([ofImage, fill(0, [batch, cache.textMemory.shape[1]!])], 1); // (B, S)
  const isAbout = cast(greater(sum(ofImage, [1]), 0), 'float32'); // (B)
  const losses = layers.map(({ attention }) => {
    const probabilities = slice(attention(), 1, 0, lookingHeads); // (B, heads, n, S)
    const mass = sum(mul(probabilities, unsqueeze(unsqueeze(wanted, 1), 1)), [3]);
    const misses = mul(neg(log(add(mass, scalar(leastMass)))), unsqueeze(unsqueeze(isAbout, 1), 1));
    const queries = (mass.shape[1] as number) * (mass.shape[2] as number);
    return div(sum(misses), mul(maximum(sum(isAbout), 1), queries));
  });
  return div(losses.reduce(add), scalar(layers.length));
};
