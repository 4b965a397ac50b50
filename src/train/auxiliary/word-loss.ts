import { symbolicDim, type Dim, type Tensor } from '../../engine/graph/index.ts';
import {
  cast,
  concat,
  equal,
  fill,
  gather,
  greater,
  literal,
  matmul,
  mul,
  slice,
  sum,
  unsqueeze,
} from '../../engine/ops/index.ts';
import { OBJECT_ATTRIBUTES } from './object-attributes.ts';
import { meanNegativeLog } from './attention-loss.ts';
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
    ({ cache: { imageMemory, textMemory, attention }, imageIndex, target }) => {
      const [batch, positions] = imageMemory.shape as [Dim, Dim];
      const tokens = textMemory.shape[1]!;
      const attributes = OBJECT_ATTRIBUTES.length;
      const images = target('auxiliary_positions', [symbolicDim('images'), attributes, positions], 'int32');
      const shown = gather(images, imageIndex); // (B, attributes, h·w)
      const named = target('auxiliary_words', [batch, attributes, tokens], 'int32');
      const ofImage = concat([shown, fill(NO_POSITION, [batch, attributes, tokens], 'int32')], 2); // (B, attributes, S)
      const ofText = concat([fill(NO_WORD, [batch, attributes, positions], 'int32'), named], 2);
      const [shows, names] = [oneHot(ofImage), oneHot(ofText)]; // (B, attributes, S, classes)
      // A position attends to words, and a word to positions, of its class. The mass on them is a product with the classes of
      // the keys: a mask (S, S) would take several passes over what is as large as the probabilities.
      const own = concat([shows, names], 3);
      const wanted = concat([names, shows], 3);
      const mass = sum(mul(matmul(slice(attention[0]!, 1, 0, attributes), wanted), own), [3]); // (B, attributes, S)
      const count = sum(mul(own, sum(wanted, [2], { keepDims: true })), [3]);
      const mean = meanNegativeLog(mass, cast(greater(count, 0), 'float32'));
      return [{ name: 'auxiliary_word_attention', means: [mean], weight }];
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

const CLASS_COUNT = Math.max(...OBJECT_ATTRIBUTES.map(({ classes }) => classes));

/** (…) int32 classes → (…, classes) 1 at the class, zeros for a negative one. */
const oneHot = (classes: Tensor): Tensor => {
  const all = literal(
    Array.from({ length: CLASS_COUNT }, (_, index) => index),
    [CLASS_COUNT],
    'int32',
  );
  return cast(equal(unsqueeze(classes, classes.rank), all), 'float32');
};
