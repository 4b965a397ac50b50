import type { RunLengthMask } from '../geometry/run-lengths.ts';
import type { BoxXywh } from '../geometry/boxes.ts';

/** A detection with the group it belongs to. */
export interface TaggedDetection {
  readonly score: number;
  /** Id of the category or image. */
  readonly tag: number;
  readonly box?: BoxXywh | undefined;
  readonly mask?: RunLengthMask | undefined;
}

/**
 * The `limit` best of many detections, in packed arrays; between equal scores, earlier ones are kept. At most twice the
 * limit is held in memory, instead of a hundred boxes for each of LVIS' thousand categories in every image.
 */
export class BestDetections {
  private readonly limit: number;
  private size = 0;
  private scores = new Float64Array(8);
  private tags = new Float64Array(8);
  private boxes = new Float64Array(8 * 4);
  private masks: (RunLengthMask | undefined)[] = [];

  constructor(limit: number) {
    this.limit = limit;
  }

  add({ score, tag, box, mask }: TaggedDetection): void {
    if (this.size >= 2 * this.limit) this.keep(this.best());
    if (this.size === this.scores.length) this.grow();
    this.scores[this.size] = score;
    this.tags[this.size] = tag;
    if (box !== undefined) this.boxes.set(box, this.size * 4);
    if (mask !== undefined) this.masks[this.size] = mask;
    this.size++;
  }

  /** Detections within the limit, in the order in which they were added. */
  *[Symbol.iterator](): Generator<TaggedDetection> {
    for (const index of this.best()) {
      yield {
        score: this.scores[index]!,
        tag: this.tags[index]!,
        box: [
          this.boxes[index * 4]!,
          this.boxes[index * 4 + 1]!,
          this.boxes[index * 4 + 2]!,
          this.boxes[index * 4 + 3]!,
        ],
        mask: this.masks[index],
      };
    }
  }

  /** Indices of the best, ascending. */
  private best(): Uint32Array {
    const indices = Uint32Array.from({ length: this.size }, (_, index) => index);
    if (this.size <= this.limit) return indices;
    return indices
      .sort((a, b) => this.scores[b]! - this.scores[a]! || a - b)
      .slice(0, this.limit)
      .sort();
  }

  private keep(indices: Uint32Array): void {
    indices.forEach((from, to) => {
      this.scores[to] = this.scores[from]!;
      this.tags[to] = this.tags[from]!;
      this.boxes.copyWithin(to * 4, from * 4, from * 4 + 4);
      this.masks[to] = this.masks[from];
    });
    this.size = indices.length;
    this.masks.length = Math.min(this.masks.length, this.size);
  }

  private grow(): void {
    const capacity = 2 * this.scores.length;
    const [scores, tags, boxes] = [
      new Float64Array(capacity),
      new Float64Array(capacity),
      new Float64Array(capacity * 4),
    ];
    scores.set(this.scores);
    tags.set(this.tags);
    boxes.set(this.boxes);
    [this.scores, this.tags, this.boxes] = [scores, tags, boxes];
  }
}
