import type { Dim, Tensor } from '../../engine/graph/index.ts';
import {
  add,
  cast,
  concat,
  dimValue,
  div,
  gather,
  greaterEqual,
  less,
  literal,
  maximum,
  mergeAxes,
  minimum,
  mul,
  relu,
  scalar,
  slice,
  squeeze,
  sub,
  sum,
  where,
} from '../../engine/ops/index.ts';
import type { Mean, TargetInput } from './auxiliary-loss.ts';
import { CELLS, NO_OBJECT, PADDING } from './cell-targets.ts';

/** Weight of a box loss relative to the classification loss of its head. */
export const BOX_WEIGHT = 2;

/** Centers of all cells, relative to their image: (I, h, w, 4, 2). */
export const centersInput = (target: TargetInput, images: Dim, height: Dim, width: Dim): Tensor =>
  target('auxiliary_centers', [images, height, width, CELLS, 2]);

/** Labels of K cells inside a graph: each cell has the index of a row in a table of objects, or shows none. */
export class CellLabels {
  /** (K) */
  readonly isHit: Tensor;
  /** (K) 1 where there is an object of the table, else 0. */
  readonly hits: Tensor;
  /** (K) 1 inside the image, 0 on padding. */
  readonly inside: Tensor;
  /** (K) 1 where there is an object that is not in the table, else 0. */
  readonly unmentioned: Tensor;
  /** Sum of `hits`, a scalar. */
  readonly hitCount: Tensor;
  /** Sum of `inside`, a scalar. */
  readonly insideCount: Tensor;
  private readonly indices: Tensor;

  /**
   * @param cells (n, h, w, 4) index, or one of `NO_OBJECT`, `PADDING`, `UNMENTIONED`
   * @param tableLength number of rows of the table
   */
  constructor(cells: Tensor, tableLength: Dim) {
    const flat = mergeAxes(cells, 0, 3);
    this.isHit = greaterEqual(flat, scalar(0, 'int32'));
    this.hits = cast(this.isHit, 'float32');
    this.unmentioned = cast(less(flat, scalar(PADDING, 'int32')), 'float32');
    this.inside = add(cast(greaterEqual(flat, scalar(NO_OBJECT, 'int32')), 'float32'), this.unmentioned);
    this.hitCount = sum(this.hits);
    this.insideCount = sum(this.inside);
    this.indices = where(this.isHit, flat, cast(dimValue(tableLength), 'int32'));
  }

  /** Row of every cell in a table with one more row at its end, which stands for cells without an object. */
  rowsOf(table: Tensor): Tensor {
    return gather(table, this.indices);
  }

  /**
   * Mean of 1 − IoU over the cells with an object.
   *
   * @param predicted (K, 4) boxes of the cells; @param boxes (rows, 4); both in xyxy format
   */
  boxLoss(predicted: Tensor, boxes: Tensor): Mean {
    const [low, high] = [slice(predicted, 1, 0, 2), slice(predicted, 1, 2, 4)];
    const targets = this.rowsOf(concat([boxes, literal([0, 0, 0, 0], [1, 4])], 0));
    const [targetLow, targetHigh] = [slice(targets, 1, 0, 2), slice(targets, 1, 2, 4)];
    const intersection = areaOf(relu(sub(minimum(high, targetHigh), maximum(low, targetLow))));
    const union = sub(add(areaOf(sub(high, low)), areaOf(sub(targetHigh, targetLow))), intersection);
    const losses = sub(scalar(1), div(intersection, add(union, scalar(1e-6))));
    return { sum: sum(mul(losses, this.hits)), count: this.hitCount };
  }
}

/** Area of extents (K, 2), width and height → (K). */
const areaOf = (extent: Tensor): Tensor => squeeze(mul(slice(extent, 1, 0, 1), slice(extent, 1, 1, 2)), 1);
