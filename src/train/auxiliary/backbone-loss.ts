import { symbolicDim, type Dim } from '../../engine/graph/index.ts';
import { concat, literal, mergeAxes, mul, slice, split, squeeze, sum, transpose } from '../../engine/ops/index.ts';
import { binaryCrossEntropy, crossEntropy } from '../../losses/cross-entropy.ts';
import { boxesAround, cellBoxLayer, splitCells } from '../../models/index.ts';
import { Linear } from '../../nn/index.ts';
import { OBJECT_ATTRIBUTES } from './object-attributes.ts';
import type { ImageLoss } from './auxiliary-loss.ts';
import { BOX_WEIGHT, CellLabels, centersInput } from './cell-labels.ts';
import { CELLS, objectInputs } from './cell-targets.ts';

/** Logits of a cell: whether it shows an object, and the classes of every attribute. */
const CLASS_COUNT = 1 + OBJECT_ATTRIBUTES.reduce((total, { classes }) => total + classes, 0);

/** Cells of the backbone's last map predict whether they show an object, its attributes and its box. */
export const backboneLoss: ImageLoss = {
  name: 'backbone',
  level: 'image',
  weight: (config) => config.backbone_auxiliary_loss,
  head: (scope, { channels }, weight) => {
    const classHead = new Linear(scope.at('kinds'), channels, CELLS * CLASS_COUNT);
    const box = cellBoxLayer(scope, channels);
    return ({ stages, target }) => {
      const map = transpose(stages.at(-1)!, [0, 2, 3, 1]); // (I, C, h, w) → (I, h, w, C)
      const [images, height, width] = map.shape as [Dim, Dim, Dim];
      const objects = symbolicDim('objects');
      const cells = new CellLabels(target('auxiliary_cells', [images, height, width, CELLS], 'int32'), objects);
      const positions = mergeAxes(map, 1, 2); // (I, h·w, C)
      const logits = mergeAxes(splitCells(classHead.forward(positions), CLASS_COUNT), 0, 1);
      const [isObject, ...attributeLogits] = split(logits, 1, [1, ...OBJECT_ATTRIBUTES.map(({ classes }) => classes)]);
      const objectness = mul(binaryCrossEntropy(squeeze(isObject!, 1), cells.hits), cells.inside);
      const centers = mergeAxes(centersInput(target, images, height, width), 1, 3);
      const boxes = boxesAround(centers)(splitCells(box.forward(positions), 4));
      const attributes = target('auxiliary_attributes', [objects, OBJECT_ATTRIBUTES.length], 'int32');
      return [
        { name: 'auxiliary_object', means: [{ sum: sum(objectness), count: cells.insideCount }], weight },
        ...OBJECT_ATTRIBUTES.map(({ name }, column) => {
          const classes = squeeze(slice(attributes, 1, column, column + 1), 1);
          const labels = cells.rowsOf(concat([classes, literal([-1], [1], 'int32')], 0));
          const entropy = crossEntropy(attributeLogits[column]!, labels);
          return { name: `auxiliary_${name}`, means: [{ sum: sum(entropy), count: cells.hitCount }], weight };
        }),
        {
          name: 'auxiliary_box',
          means: [cells.boxLoss(mergeAxes(boxes, 0, 1), target('auxiliary_object_boxes', [objects, 4]))],
          weight: BOX_WEIGHT * weight,
        },
      ];
    };
  },
  inputs: objectInputs,
};
