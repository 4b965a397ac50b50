import { input, symbolicDim, type Dim, type Tensor } from '../../engine/graph/index.ts';
import { binaryCrossEntropy, crossEntropy } from '../../losses/cross-entropy.ts';
import { boxesDim } from '../../losses/index.ts';
import {
  textEncoderConfig,
  type DecodedLayer,
  type EncoderCache,
  type ImageFeatures,
  type ModelConfig,
} from '../../models/index.ts';
import { SOFT_TOKEN_CLASSES, SOFT_TOKENS } from '../../text/soft-tokens.ts';
import { fillWith, Linear, ParameterRegistry, Scope } from '../../nn/index.ts';
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
  logSoftmax,
  maximum,
  mergeAxes,
  minimum,
  mul,
  neg,
  pad,
  relu,
  scalar,
  sigmoid,
  slice,
  split,
  splitAxis,
  squeeze,
  sub,
  sum,
  transpose,
  where,
} from '../../engine/ops/index.ts';
import { answerStepClasses, answerStepSlots } from './answer-steps.ts';
import { subCells } from './auxiliary-targets.ts';
import type { AuxiliaryWeights } from './auxiliary-weights.ts';
import { OBJECT_ATTRIBUTES } from './object-attributes.ts';
import { answerAttentionLoss } from './answer-attention.ts';
import { wordAttentionLoss } from './word-attention.ts';

/** A loss that is part of the forward graph: it needs no matching. */
export interface AuxiliaryLoss {
  readonly name: string;
  /** Without axes. */
  readonly value: Tensor;
  /** Its factor in the total. */
  readonly weight: number;
}

/** Heads that only training has. Their parameters begin with `helper.` and are left out of what ships. */
export interface AuxiliaryHeads {
  readonly registry: ParameterRegistry;
  /** Losses on the backbone's maps. */
  ofImages(features: Pick<ImageFeatures, 'stages'>): readonly AuxiliaryLoss[];
  /** Losses on the encoder's output. */
  ofMemory(cache: EncoderCache, features: Pick<ImageFeatures, 'padding'>, imageIndex: Tensor): readonly AuxiliaryLoss[];
  /** Losses on the question queries of the decoder's layers, each (B, n, D); none without question heads. */
  ofAnswers(answerLayers: readonly DecodedLayer[], cache: EncoderCache): readonly AuxiliaryLoss[];
}

export const isAuxiliary = (name: string): boolean => name.startsWith('helper.');

interface EncoderAuxiliary {
  readonly tokens: Linear;
  readonly box: Linear;
}

/** How little a cell that shows nothing mentioned counts in the encoder's loss: nearly all are such. */
const negativeWeight = 0.2;
/** How much a cell counts that shows an object which is not mentioned: it is what words have to tell apart. */
const unmentionedWeight = 1;
const boxWeight = 2;

/** Distances to the sides begin small: σ(−2) is an eighth of the picture. */
const boxLinear = (scope: Scope, inputs: number): Linear =>
  new Linear(scope.at('box'), inputs, subCells * 4, { biasInit: fillWith(-2) });

/**
 * Helper losses that make small networks learn from scratch in a fraction of the samples: cells of the encoder's output
 * name the tokens and the box of the mentioned object that they show; cells of the backbone's last map name what any
 * object is like; a question query names what is compared or counted; and words look at what they name. Inputs are those of
 * `helperInputs`, and `positive_map`, `target_boxes` of the criterion.
 */
export class HelperHeads implements AuxiliaryHeads {
  readonly registry = new ParameterRegistry();
  private readonly encoder: EncoderAuxiliary | undefined;
  private readonly backbone: { readonly kinds: Linear; readonly box: Linear } | undefined;
  private readonly answers: Linear | undefined;
  private centers: Tensor | undefined;
  /** Token slots that captions can use. */
  private readonly slots: number;

  /** @param channels of the backbone's last map */
  constructor(
    config: ModelConfig,
    channels: number,
    private readonly weights: AuxiliaryWeights,
  ) {
    const scope = new Scope(this.registry).at('helper');
    const { hidden_dim: features } = config;
    this.slots = Math.min(SOFT_TOKENS, textEncoderConfig(config).max_position_embeddings - 2);
    const encoderScope = scope.at('encoder');
    this.encoder =
      weights.encoder > 0
        ? {
            tokens: new Linear(encoderScope.at('tokens'), features, subCells * (this.slots + 1)),
            box: boxLinear(encoderScope, features),
          }
        : undefined;
    const backboneScope = scope.at('backbone');
    this.backbone =
      weights.backbone > 0
        ? {
            kinds: new Linear(backboneScope.at('kinds'), channels, subCells * kindCount),
            box: boxLinear(backboneScope, channels),
          }
        : undefined;
    this.answers =
      weights.answers > 0 ? new Linear(scope.at('answers'), features, answerStepSlots * answerStepClasses) : undefined;
  }

  ofMemory(
    cache: EncoderCache,
    features: Pick<ImageFeatures, 'padding'>,
    imageIndex: Tensor,
  ): readonly AuxiliaryLoss[] {
    const { words: weight } = this.weights;
    return [
      ...(this.encoder === undefined ? [] : this.ofCells(this.encoder, cache, features, imageIndex)),
      ...(weight > 0
        ? [{ name: 'auxiliary_word_attention', value: wordAttentionLoss(cache, imageIndex), weight }]
        : []),
    ];
  }

  private ofCells(
    encoder: EncoderAuxiliary,
    { imageMemory }: EncoderCache,
    { padding }: Pick<ImageFeatures, 'padding'>,
    imageIndex: Tensor,
  ): readonly AuxiliaryLoss[] {
    const [batch, height, width] = padding.shape as [Dim, Dim, Dim];
    const cells = new Cells(input('auxiliary_mentioned', [batch, height, width, subCells], 'int32'), boxesDim);

    // Rows of the boxes' tokens, and a last one that says "nothing".
    const tokens = pad(slice(input('positive_map', [boxesDim, SOFT_TOKEN_CLASSES]), 1, 0, this.slots), 1, 0, 1);
    const nothing = literal([...Array.from({ length: this.slots }, () => 0), 1], [1, this.slots + 1]);
    const wanted = cells.rowsOf(concat([tokens, nothing], 0));
    const predicted = logSoftmax(byCell(encoder.tokens.forward(imageMemory), this.slots + 1));
    const entropy = neg(sum(mul(predicted, wanted), [1]));
    const negative = add(mul(cells.inside, negativeWeight), mul(cells.unmentioned, unmentionedWeight - negativeWeight));
    const weighted = mul(entropy, where(cells.isHit, 1, negative));

    const centers = gather(this.cellCentres(symbolicDim('images'), height, width), imageIndex);
    const boxes = cornersOf(input('target_boxes', [boxesDim, 4]));
    const distances = byCell(encoder.box.forward(imageMemory), 4);
    const { encoder: weight } = this.weights;
    return [
      { name: 'auxiliary_encoder_tokens', value: div(sum(weighted), cells.insideCount), weight },
      { name: 'auxiliary_encoder_box', value: cells.boxLoss(distances, centers, boxes), weight: boxWeight * weight },
    ];
  }

  ofImages({ stages }: Pick<ImageFeatures, 'stages'>): readonly AuxiliaryLoss[] {
    if (this.backbone === undefined) return [];
    const map = transpose(stages.at(-1)!, [0, 2, 3, 1]); // (I, C, h, w) → (I, h, w, C)
    const [images, height, width] = map.shape as [Dim, Dim, Dim];
    const objects = symbolicDim('objects');
    const cells = new Cells(input('auxiliary_cells', [images, height, width, subCells], 'int32'), objects);
    const [isObject, ...kinds] = split(byCell(this.backbone.kinds.forward(mergeAxes(map, 1, 2)), kindCount), 1, [
      1,
      ...OBJECT_ATTRIBUTES.map(({ classes }) => classes),
    ]);
    const objectness = mul(binaryCrossEntropy(squeeze(isObject!, 1), cells.hits), cells.inside);
    const attributes = input('auxiliary_attributes', [objects, OBJECT_ATTRIBUTES.length], 'int32');
    const { backbone: weight } = this.weights;
    return [
      { name: 'auxiliary_object', value: div(sum(objectness), cells.insideCount), weight },
      ...OBJECT_ATTRIBUTES.map(({ name }, column) => {
        const known = concat([squeeze(slice(attributes, 1, column, column + 1), 1), literal([-1], [1], 'int32')], 0);
        const entropy = crossEntropy(kinds[column]!, cells.rowsOf(known));
        return { name: `auxiliary_${name}`, value: div(sum(entropy), cells.hitCount), weight };
      }),
      {
        name: 'auxiliary_box',
        value: cells.boxLoss(
          byCell(this.backbone.box.forward(mergeAxes(map, 1, 2)), 4),
          this.cellCentres(images, height, width),
          input('auxiliary_object_boxes', [objects, 4]),
        ),
        weight: boxWeight * weight,
      },
    ];
  }

  /**
   * What a question compares or counts is known one layer before the answer, so that the last layer has but to conclude.
   */
  ofAnswers(answerLayers: readonly DecodedLayer[], cache: EncoderCache): readonly AuxiliaryLoss[] {
    const layer = (answerLayers.at(-2) ?? answerLayers.at(-1))?.output;
    if (this.answers === undefined || layer === undefined) return [];
    const query = squeeze(slice(layer, 1, yesNoQuery, yesNoQuery + 1), 1); // (B, D)
    const logits = mergeAxes(splitAxis(this.answers.forward(query), 1, [answerStepSlots, answerStepClasses]), 0, 1);
    const labels = mergeAxes(input('auxiliary_steps', [layer.shape[0]!, answerStepSlots], 'int32'), 0, 1);
    const known = cast(greaterEqual(labels, scalar(0, 'int32')), 'float32');
    const value = div(sum(crossEntropy(logits, labels)), maximum(sum(known), 1));
    const { answers: weight } = this.weights;
    return [
      { name: 'auxiliary_answer_steps', value, weight },
      { name: 'auxiliary_answer_attention', value: answerAttentionLoss(answerLayers.slice(-2), cache), weight },
    ];
  }

  /** One input for both heads: a program has each name once. */
  private cellCentres(images: Dim, height: Dim, width: Dim): Tensor {
    return (this.centers ??= input('auxiliary_centers', [images, height, width, subCells, 2]));
  }
}

/** The question query that CLEVR's head for yes and no reads. */
const yesNoQuery = 1;

const kindCount = 1 + OBJECT_ATTRIBUTES.reduce((total, { classes }) => total + classes, 0);

/** (n, h·w, 4 · size) → (n · h · w · 4, size) */
const byCell = (x: Tensor, size: number): Tensor => mergeAxes(splitAxis(x, 2, [subCells, size]), 0, 2);

/** centre x, centre y, width, height → left, top, right, bottom */
const cornersOf = (boxes: Tensor): Tensor => {
  const center = slice(boxes, 1, 0, 2);
  const half = mul(slice(boxes, 1, 2, 4), 0.5);
  return concat([sub(center, half), add(center, half)], 1);
};

/** What every sub-cell shows: K of them, each with a row of a table of so many, or with none. */
class Cells {
  /** (K) */
  readonly isHit: Tensor;
  /** (K) 1 where there is an object, else 0. */
  readonly hits: Tensor;
  /** (K) 1 inside of the picture, 0 on padding. */
  readonly inside: Tensor;
  /** (K) 1 where there is an object that has no row, else 0. */
  readonly unmentioned: Tensor;
  /** Without axes, at least 1. */
  readonly hitCount: Tensor;
  readonly insideCount: Tensor;
  private readonly rows: Tensor;

  /** @param cells (n, h, w, 4) row, −1 for none, −2 for padding, −3 for an object without a row */
  constructor(cells: Tensor, tableRows: Dim) {
    const flat = mergeAxes(cells, 0, 3);
    this.isHit = greaterEqual(flat, scalar(0, 'int32'));
    this.hits = cast(this.isHit, 'float32');
    this.unmentioned = cast(less(flat, scalar(-2, 'int32')), 'float32');
    this.inside = add(cast(greaterEqual(flat, scalar(-1, 'int32')), 'float32'), this.unmentioned);
    this.hitCount = maximum(sum(this.hits), 1);
    this.insideCount = maximum(sum(this.inside), 1);
    this.rows = where(this.isHit, flat, cast(dimValue(tableRows), 'int32'));
  }

  /** Rows of a table that has one more at its end, for cells without an object. */
  rowsOf(table: Tensor): Tensor {
    return gather(table, this.rows);
  }

  /**
   * Mean of 1 − IoU over the cells with an object.
   *
   * @param distances (K, 4) logits of how far left, top, right and bottom are from the cell's middle
   * @param centers (n, h, w, 4, 2); @param boxes (rows, 4) corners
   */
  boxLoss(distances: Tensor, centers: Tensor, boxes: Tensor): Tensor {
    const middle = mergeAxes(centers, 0, 3);
    const reach = sigmoid(distances);
    const [low, high] = [sub(middle, slice(reach, 1, 0, 2)), add(middle, slice(reach, 1, 2, 4))];
    const wanted = this.rowsOf(concat([boxes, literal([0, 0, 0, 0], [1, 4])], 0));
    const [wantedLow, wantedHigh] = [slice(wanted, 1, 0, 2), slice(wanted, 1, 2, 4)];
    const common = areaOf(relu(sub(minimum(high, wantedHigh), maximum(low, wantedLow))));
    const union = sub(add(areaOf(sub(high, low)), areaOf(sub(wantedHigh, wantedLow))), common);
    const misses = sub(scalar(1), div(common, add(union, scalar(1e-6))));
    return div(sum(mul(misses, this.hits)), this.hitCount);
  }
}

/** (K, 2) width and height → (K) */
const areaOf = (sizes: Tensor): Tensor => squeeze(mul(slice(sizes, 1, 0, 1), slice(sizes, 1, 1, 2)), 1);
