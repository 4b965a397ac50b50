import type { ModelConfig } from './config.ts';
import { addDims, type Dim, type Tensor } from '../engine/graph/index.ts';
import { Embedding, type Initializer, type Scope } from '../nn/index.ts';
import {
  add,
  cast,
  concat,
  cos,
  cumSum,
  div,
  expand,
  gather,
  iota,
  literal,
  mergeAxes,
  mul,
  not,
  reshape,
  sin,
  slice,
  unsqueeze,
} from '../engine/ops/index.ts';

/** Position encoding of a feature map. */
export interface PositionEncoding {
  /** paddingMask (B, h, w), true on padding → (B, h·w, D) */
  forward(paddingMask: Tensor): Tensor;
}

/** Sines and cosines of the position in the image without padding, scaled to 2π: y in the first half of D, x in the second. */
export class SinePositionEncoding implements PositionEncoding {
  constructor(
    private readonly features: number,
    private readonly temperature: number,
  ) {}

  forward(paddingMask: Tensor): Tensor {
    const valid = cast(not(paddingMask), 'float32');
    const halves = [1, 2].map((axis) => this.encodeAxis(cumSum(valid, axis), axis));
    return mergeAxes(concat(halves, 3), 1, 2);
  }

  /** counts (B, h, w) along `axis` → (B, h, w, D/2), interleaved sin, cos, sin, … */
  private encodeAxis(counts: Tensor, axis: number): Tensor {
    const size = counts.shape[axis]!;
    const total = slice(counts, axis, addDims(size, -1), size);
    const scaled = mul(div(counts, add(total, 1e-6)), 2 * Math.PI);
    return sineCodes(scaled, this.features / 2, this.temperature);
  }
}

/** Sine codes of angles (…): (…, features), interleaved sin, cos, sin, … of the angle divided by growing wavelengths. */
export const sineCodes = (angles: Tensor, features: number, temperature: number): Tensor => {
  const wavelengths = Array.from({ length: features / 2 }, (_, index) =>
    Math.fround(temperature ** Math.fround((2 * index) / features)),
  );
  const scaled = div(unsqueeze(angles, -1), literal(wavelengths, [features / 2]));
  const last = scaled.rank;
  return mergeAxes(concat([unsqueeze(sin(scaled), -1), unsqueeze(cos(scaled), -1)], last), last - 1, last);
};

/** Uniform on [0, 1), the official initialization of the learned tables. */
const uniform01: Initializer = (random, shape) =>
  Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.uniform());

/** Learned embeddings of up to 50 rows and 50 columns: x in the first half of D, y in the second. Ignores padding. */
export class LearnedPositionEncoding implements PositionEncoding {
  static readonly maxSize = 50;
  private readonly rows: Embedding;
  private readonly columns: Embedding;

  constructor(scope: Scope, features: number) {
    this.rows = new Embedding(scope.at('row_embed'), LearnedPositionEncoding.maxSize, features / 2, uniform01);
    this.columns = new Embedding(scope.at('col_embed'), LearnedPositionEncoding.maxSize, features / 2, uniform01);
  }

  forward(paddingMask: Tensor): Tensor {
    const [batch, height, width] = paddingMask.shape as [Dim, Dim, Dim];
    const half = this.rows.weight.shape[1]!;
    const column = expand(reshape(gather(this.columns.weight, iota(width)), [1, 1, width, half]), [
      batch,
      height,
      width,
      half,
    ]);
    const row = expand(reshape(gather(this.rows.weight, iota(height)), [1, height, 1, half]), [
      batch,
      height,
      width,
      half,
    ]);
    return mergeAxes(concat([column, row], 3), 1, 2);
  }
}

const buildSine = (_: Scope, { hidden_dim, position_temperature }: ModelConfig): PositionEncoding =>
  new SinePositionEncoding(hidden_dim, position_temperature);

const buildLearned = (scope: Scope, { hidden_dim }: ModelConfig): PositionEncoding =>
  new LearnedPositionEncoding(scope, hidden_dim);

/** Position encodings by the values of `position_embedding`; `v2` and `v3` are official aliases. */
const POSITION_ENCODINGS: Readonly<Record<ModelConfig['position_embedding'], typeof buildSine>> = {
  sine: buildSine,
  v2: buildSine,
  learned: buildLearned,
  v3: buildLearned,
};

/** Builds the position encoding that a config names. */
export const buildPositionEncoding = (scope: Scope, config: ModelConfig): PositionEncoding =>
  POSITION_ENCODINGS[config.position_embedding](scope, config);
