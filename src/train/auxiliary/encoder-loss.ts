import { symbolicDim, type Dim, type Tensor } from '../../engine/graph/index.ts';
import {
  add,
  concat,
  gather,
  literal,
  logSoftmax,
  mergeAxes,
  mul,
  neg,
  pad,
  slice,
  sum,
  where,
} from '../../engine/ops/index.ts';
import { boxesDim } from '../../losses/index.ts';
import { cornersOf } from '../../losses/terms/boxes.ts';
import { boxesAround, EncoderHead, hasEncoderHead } from '../../models/index.ts';
import { SOFT_TOKEN_CLASSES } from '../../text/soft-tokens.ts';
import type { MemoryLoss } from './auxiliary-loss.ts';
import { BOX_WEIGHT, CellLabels, centersInput } from './cell-labels.ts';
import { CELLS, mentionedInputs } from './cell-targets.ts';

/** Weight of a cell that shows nothing mentioned, as nearly all cells do. */
const NEGATIVE_WEIGHT = 0.2;
/** Weight of a cell that shows an object that is not mentioned: words have to tell these apart. */
const UNMENTIONED_WEIGHT = 1;

/** Cells of the encoder's image output predict the tokens and the box of the mentioned object that they show. */
export const encoderLoss: MemoryLoss = {
  name: 'encoder',
  level: 'memory',
  weight: (config) => config.encoder_auxiliary_loss,
  head: (scope, { config }, weight) => {
    // A network that selects its queries by the head has one of its own.
    const head = hasEncoderHead(config) ? undefined : new EncoderHead(scope, config);
    return ({ cache: { imageMemory }, padding, imageIndex, target, cells: ofNetwork }) => {
      const [batch, height, width] = padding.shape as [Dim, Dim, Dim];
      const cells = new CellLabels(target('auxiliary_mentioned', [batch, height, width, CELLS], 'int32'), boxesDim);
      const centers = (): Tensor =>
        gather(mergeAxes(centersInput(target, symbolicDim('images'), height, width), 1, 3), imageIndex);
      const predictions = head === undefined ? ofNetwork : head.forward(imageMemory, boxesAround(centers()));
      if (predictions === undefined) throw new Error('internal: the network has no encoder head');
      const logits = mergeAxes(predictions.tokenLogits, 0, 1);
      const slots = (logits.shape[1] as number) - 1;

      // Token weights of every box, and a last row for "nothing".
      const tokens = pad(slice(target('positive_map', [boxesDim, SOFT_TOKEN_CLASSES]), 1, 0, slots), 1, 0, 1);
      const nothing = literal([...new Array<number>(slots).fill(0), 1], [1, slots + 1]);
      const expected = cells.rowsOf(concat([tokens, nothing], 0));
      const predicted = logSoftmax(logits);
      const entropy = neg(sum(mul(predicted, expected), [1]));
      const negative = add(
        mul(cells.inside, NEGATIVE_WEIGHT),
        mul(cells.unmentioned, UNMENTIONED_WEIGHT - NEGATIVE_WEIGHT),
      );
      const weighted = mul(entropy, where(cells.isHit, 1, negative));

      const { low, high } = cornersOf(target('target_boxes', [boxesDim, 4]));
      return [
        { name: 'auxiliary_encoder_tokens', means: [{ sum: sum(weighted), count: cells.insideCount }], weight },
        {
          name: 'auxiliary_encoder_box',
          means: [cells.boxLoss(mergeAxes(predictions.boxesXyxy, 0, 1), concat([low, high], 1))],
          weight: BOX_WEIGHT * weight,
        },
      ];
    };
  },
  inputs: mentionedInputs,
};
