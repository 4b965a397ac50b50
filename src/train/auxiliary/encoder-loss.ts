import { symbolicDim, type Dim, type Tensor } from '../../engine/graph/index.ts';
import {
  add,
  concat,
  div,
  gather,
  literal,
  logSoftmax,
  mul,
  neg,
  pad,
  slice,
  sub,
  sum,
  where,
} from '../../engine/ops/index.ts';
import { boxesDim } from '../../losses/index.ts';
import { textEncoderConfig } from '../../models/index.ts';
import { Linear } from '../../nn/index.ts';
import { SOFT_TOKEN_CLASSES, SOFT_TOKENS } from '../../text/soft-tokens.ts';
import type { MemoryLoss } from './auxiliary-loss.ts';
import { BOX_WEIGHT, boxHead, byCell, CellLabels, centersInput } from './cell-labels.ts';
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
    // Slots of tokens that captions can have.
    const slots = Math.min(SOFT_TOKENS, textEncoderConfig(config).max_position_embeddings - 2);
    const tokenHead = new Linear(scope.at('tokens'), config.hidden_dim, CELLS * (slots + 1));
    const box = boxHead(scope, config.hidden_dim);
    return ({ cache: { imageMemory }, padding, imageIndex, target }) => {
      const [batch, height, width] = padding.shape as [Dim, Dim, Dim];
      const cells = new CellLabels(target('auxiliary_mentioned', [batch, height, width, CELLS], 'int32'), boxesDim);

      // Token weights of every box, and a last row for "nothing".
      const tokens = pad(slice(target('positive_map', [boxesDim, SOFT_TOKEN_CLASSES]), 1, 0, slots), 1, 0, 1);
      const nothing = literal([...new Array<number>(slots).fill(0), 1], [1, slots + 1]);
      const expected = cells.rowsOf(concat([tokens, nothing], 0));
      const predicted = logSoftmax(byCell(tokenHead.forward(imageMemory), slots + 1));
      const entropy = neg(sum(mul(predicted, expected), [1]));
      const negative = add(
        mul(cells.inside, NEGATIVE_WEIGHT),
        mul(cells.unmentioned, UNMENTIONED_WEIGHT - NEGATIVE_WEIGHT),
      );
      const weighted = mul(entropy, where(cells.isHit, 1, negative));

      const centers = gather(centersInput(target, symbolicDim('images'), height, width), imageIndex);
      const corners = boxCorners(target('target_boxes', [boxesDim, 4]));
      const distances = byCell(box.forward(imageMemory), 4);
      return [
        { name: 'auxiliary_encoder_tokens', value: div(sum(weighted), cells.insideCount), weight },
        {
          name: 'auxiliary_encoder_box',
          value: cells.boxLoss(distances, centers, corners),
          weight: BOX_WEIGHT * weight,
        },
      ];
    };
  },
  inputs: mentionedInputs,
};

/** Boxes (N, 4) from cxcywh to xyxy format. */
const boxCorners = (boxes: Tensor): Tensor => {
  const center = slice(boxes, 1, 0, 2);
  const half = mul(slice(boxes, 1, 2, 4), 0.5);
  return concat([sub(center, half), add(center, half)], 1);
};
