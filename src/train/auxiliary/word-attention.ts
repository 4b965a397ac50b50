import { input, symbolicDim, type Dim, type Tensor } from '../../engine/graph/index.ts';
import type { EncoderCache } from '../../models/index.ts';
import { cast, concat, equal, fill, gather, or, slice, unsqueeze } from '../../engine/ops/index.ts';
import { attentionLoss } from './attention-loss.ts';
import { OBJECT_ATTRIBUTES } from './object-attributes.ts';
import { noPlace, noWord } from './word-classes.ts';

/**
 * A helper loss on the first encoder layer: one head an attribute learns to look from a word that names a value ("red")
 * to the places of the picture that show it, and from such places back to the word. Without it small networks go by
 * shape and size for a long time and take no notice of colours (docs/results.md). No parameters of its own.
 *
 * Inputs: `auxiliary_positions` (I, attributes, h·w) and `auxiliary_words` (B, attributes, T), class ids.
 */
export const wordAttentionLoss = (cache: EncoderCache, imageIndex: Tensor): Tensor => {
  const { imageMemory, textMemory } = cache;
  const [batch, places] = imageMemory.shape as [Dim, Dim];
  const tokens = textMemory.shape[1]!;
  const attributes = OBJECT_ATTRIBUTES.length;
  const images = input('auxiliary_positions', [symbolicDim('images'), attributes, places], 'int32');
  const shown = gather(images, imageIndex); // (B, attributes, h·w)
  const named = input('auxiliary_words', [batch, attributes, tokens], 'int32');
  const ofImage = concat([shown, fill(noPlace, [batch, attributes, tokens], 'int32')], 2); // (B, attributes, S)
  const ofText = concat([fill(noWord, [batch, attributes, places], 'int32'), named], 2);
  const matches = cast(
    or(
      equal(unsqueeze(ofImage, 3), unsqueeze(ofText, 2)), // a place looks at a word
      equal(unsqueeze(ofText, 3), unsqueeze(ofImage, 2)), // a word looks at a place
    ),
    'float32',
  ); // (B, attributes, S, S)
  const probabilities = slice(cache.firstAttention(), 1, 0, attributes);
  return attentionLoss(probabilities, matches);
};
