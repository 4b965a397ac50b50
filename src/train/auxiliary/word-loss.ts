import { symbolicDim, type Dim } from '../../engine/graph/index.ts';
import { cast, concat, equal, fill, gather, or, slice, unsqueeze } from '../../engine/ops/index.ts';
import { OBJECT_ATTRIBUTES } from './object-attributes.ts';
import { attentionLoss } from './attention-loss.ts';
import type { MemoryLoss } from './auxiliary-loss.ts';
import { concatInt32 } from './cell-targets.ts';
import { positionAttributes } from './position-targets.ts';
import { NO_POSITION, NO_WORD, wordClassesOf } from './word-classes.ts';

/**
 * Attention loss of the first encoder layer: one head per attribute attends from a word that names a value ("red") to the
 * positions of the image that show it, and from such positions back to the word. Without it small networks distinguish
 * objects by shape and size for a long time and ignore colors. It has no parameters.
 */
export const wordsLoss: MemoryLoss = {
  name: 'words',
  level: 'memory',
  weight: (config) => config.word_auxiliary_loss,
  head:
    (_scope, _network, weight) =>
    ({ cache: { imageMemory, textMemory, attentionOf }, imageIndex, target }) => {
      const [batch, positions] = imageMemory.shape as [Dim, Dim];
      const tokens = textMemory.shape[1]!;
      const attributes = OBJECT_ATTRIBUTES.length;
      const images = target('auxiliary_positions', [symbolicDim('images'), attributes, positions], 'int32');
      const shown = gather(images, imageIndex); // (B, attributes, h·w)
      const named = target('auxiliary_words', [batch, attributes, tokens], 'int32');
      const ofImage = concat([shown, fill(NO_POSITION, [batch, attributes, tokens], 'int32')], 2); // (B, attributes, S)
      const ofText = concat([fill(NO_WORD, [batch, attributes, positions], 'int32'), named], 2);
      const matches = cast(
        or(
          equal(unsqueeze(ofImage, 3), unsqueeze(ofText, 2)), // a position attends to a word
          equal(unsqueeze(ofText, 3), unsqueeze(ofImage, 2)), // a word attends to a position
        ),
        'float32',
      ); // (B, attributes, S, S)
      const probabilities = slice(attentionOf(0), 1, 0, attributes);
      return [{ name: 'auxiliary_word_attention', value: attentionLoss(probabilities, matches), weight }];
    },
  inputs: ({ images, grid, encodings, tokens }) => ({
    auxiliary_positions: concatInt32(
      [images.length, OBJECT_ATTRIBUTES.length, grid.height * grid.width],
      images.map((image) => positionAttributes(grid, image)),
    ),
    auxiliary_words: concatInt32(
      [encodings.length, OBJECT_ATTRIBUTES.length, tokens],
      encodings.map((encoding) => wordClassesOf(encoding, tokens)),
    ),
  }),
};
