import { concatValues } from '../../engine/graph/concat-values.ts';
import { float32Tensor, int32Tensor, type Dim, type HostTensor, type Tensor } from '../../engine/graph/index.ts';
import {
  add,
  and,
  argMax,
  cast,
  concat,
  div,
  equal,
  expand,
  fill,
  greater,
  greaterEqual,
  iota,
  log,
  maximum,
  minimum,
  mul,
  neg,
  scalar,
  slice,
  splitAxis,
  stopGradient,
  sum,
  unsqueeze,
} from '../../engine/ops/index.ts';
import { iouCxcywh } from '../../losses/terms/boxes.ts';
import type { AnswerLayer } from '../../models/index.ts';
import { ANSWER_SLOTS } from './answer-slots.ts';
import { attentionLoss, MIN_MASS, pooledMean } from './attention-loss.ts';
import type { AuxiliaryImage } from './auxiliary-batch.ts';
import type { AnswersLoss, Mean, TargetInput } from './auxiliary-loss.ts';
import { slotPositions } from './position-targets.ts';

/** Maximum number of objects of a slot; those beyond it leave the slot without a loss. */
const MAX_MEMBERS = 12;
/** Minimum IoU of an object with the detection query that stands for it. */
const MIN_IOU = 0.3;

/** Kinds of slots in `auxiliary_slot_kinds`. */
const [ABSENT, ONE_OBJECT, SET] = [0, 1, 2];

/** Layers of the decoder that are trained, the last ones. */
const LAYERS = 2;

/**
 * Question queries attend, in a head for each slot of a question (`answerSlotsOf`), to the positions of the slot's objects, and to
 * the detection queries of these objects, so that they can count and compare them. It has no parameters.
 */
export const objectsLoss: AnswersLoss = {
  name: 'objects',
  level: 'answers',
  weight: (config) => config.object_auxiliary_loss,
  head:
    (_scope, _network, weight) =>
    ({ layers, cache, target }) => {
      const trained = layers.slice(-LAYERS);
      const [batch, positions] = cache.imageMemory.shape as [Dim, Dim];
      const ofImage = target('auxiliary_slot_positions', [batch, ANSWER_SLOTS, positions]);
      const ofText = fill(0, [batch, ANSWER_SLOTS, cache.textMemory.shape[1]!]);
      const expected = unsqueeze(concat([ofImage, ofText], 2), 2); // (B, slots, 1, S)
      const across = trained.map(({ attention }) => {
        const probabilities = slice(attention, 1, 0, ANSWER_SLOTS); // (B, slots, n, S)
        return attentionLoss(probabilities, expected, probabilities.shape[2] as number);
      });
      const among = objectAttentionLosses(trained, target);
      return [
        { name: 'auxiliary_object_positions', means: [pooledMean(across)], weight },
        { name: 'auxiliary_object_queries', means: [pooledMean(among)], weight },
      ];
    },
  inputs: ({ images, grid }) => ({ auxiliary_slot_positions: slotPositions(grid, images), ...slotInputs(images) }),
};

/**
 * Losses on the self-attention of decoder layers whose detection queries start from boxes, one for each layer: in the first
 * heads, one for each slot of a question (`answerSlotsOf`), question queries attend equally to the detection queries of the
 * slot's objects. If the slot is a set, they attend as much to themselves, so that the attention that is left there, 1 / (1 + n),
 * tells how many objects the set has. Slots with an object that no query found have no loss. There are no parameters.
 */
export const objectAttentionLosses = (layers: readonly AnswerLayer[], target: TargetInput): readonly Mean[] =>
  layers.map(({ selfAttention, boxesCxcywh }) => {
    if (boxesCxcywh === undefined) throw new Error('internal: the loss of objects needs queries with boxes');
    const [batch, , questions, all] = selfAttention.shape as [Dim, number, number, number];
    const kinds = target('auxiliary_slot_kinds', [batch, ANSWER_SLOTS], 'int32');
    const members = target('auxiliary_slot_members', [batch, ANSWER_SLOTS, MAX_MEMBERS]);
    const boxes = target('auxiliary_slot_boxes', [batch, ANSWER_SLOTS * MAX_MEMBERS, 4]);

    const found = splitAxis(bestQueries(boxes, boxesCxcywh), 1, [ANSWER_SLOTS, MAX_MEMBERS]); // (B, slots, O, Q)
    const ofObjects = minimum(sum(mul(found, unsqueeze(members, 3)), [2]), 1); // (B, slots, Q)
    const isFound = greaterEqual(sum(ofObjects, [2]), sum(members, [2]));
    const rows = cast(and(isFound, greater(kinds, scalar(ABSENT, 'int32'))), 'float32'); // (B, slots)

    const isSet = cast(equal(kinds, scalar(SET, 'int32')), 'float32');
    const themselves = cast(equal(unsqueeze(iota(questions), 0), unsqueeze(iota(questions), 1)), 'float32');
    const expected = concat(
      [
        expand(unsqueeze(ofObjects, 2), [batch, ANSWER_SLOTS, questions, all - questions]),
        mul(unsqueeze(unsqueeze(isSet, 2), 3), themselves),
      ],
      3,
    ); // (B, slots, n, Q + n)
    const surprise = neg(log(add(slice(selfAttention, 1, 0, ANSWER_SLOTS), scalar(MIN_MASS))));
    const entropy = div(sum(mul(surprise, expected), [3]), maximum(sum(expected, [3]), 1)); // (B, slots, n)
    return { sum: sum(mul(entropy, unsqueeze(rows, 2))), count: mul(sum(rows), questions) };
  });

/** (B, N, Q) 1 for the query that overlaps most with each of the boxes (B, N, 4), if their IoU is at least `MIN_IOU`; both cxcywh. */
const bestQueries = (boxes: Tensor, queries: Tensor): Tensor => {
  const iou = iouCxcywh(unsqueeze(boxes, 2), unsqueeze(queries, 1));
  const isBest = equal(argMax(iou, 2, { keepDims: true }), iota(queries.shape[1]!));
  return stopGradient(cast(and(isBest, greaterEqual(iou, scalar(MIN_IOU))), 'float32'));
};

/** Inputs of the losses: kinds (B, slots), members (B, slots, O) and their boxes (B, slots · O, 4) in cxcywh format. */
export const slotInputs = (images: readonly AuxiliaryImage[]): Record<string, HostTensor> => {
  const captions = images.flatMap(({ captions, objects }) =>
    captions.map(({ answerSlots = [] }) => {
      const kinds = new Int32Array(ANSWER_SLOTS).fill(ABSENT);
      const members = new Float32Array(ANSWER_SLOTS * MAX_MEMBERS);
      const boxes = new Float32Array(members.length * 4);
      answerSlots.forEach(({ objects: ofSlot, isSet }, slot) => {
        if (objects === undefined || ofSlot.length > MAX_MEMBERS) return;
        kinds[slot] = isSet ? SET : ONE_OBJECT;
        ofSlot.forEach((object, index) => {
          const at = slot * MAX_MEMBERS + index;
          members[at] = 1;
          const [x0, y0, x1, y1] = objects.boxesXyxy.subarray(object * 4);
          boxes.set([(x0! + x1!) / 2, (y0! + y1!) / 2, x1! - x0!, y1! - y0!], at * 4);
        });
      });
      return { kinds, members, boxes };
    }),
  );
  const count = captions.length;
  const floats = (shape: readonly number[], name: 'members' | 'boxes'): HostTensor =>
    float32Tensor(
      shape,
      concatValues(
        Float32Array,
        captions.map((caption) => caption[name]),
      ),
    );
  return {
    auxiliary_slot_kinds: int32Tensor(
      [count, ANSWER_SLOTS],
      concatValues(
        Int32Array,
        captions.map(({ kinds }) => kinds),
      ),
    ),
    auxiliary_slot_members: floats([count, ANSWER_SLOTS, MAX_MEMBERS], 'members'),
    auxiliary_slot_boxes: floats([count, ANSWER_SLOTS * MAX_MEMBERS, 4], 'boxes'),
  };
};
