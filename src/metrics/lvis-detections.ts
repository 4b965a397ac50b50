import type { RunLengthMask } from '../geometry/run-lengths.ts';
import type { BoxXywh } from '../geometry/boxes.ts';

/** One detection: where, how sure, and a number that says to which group it belongs. */
export interface TaggedDetection {
  readonly score: number;
  /** Category or image. */
  readonly tag: number;
  readonly box?: BoxXywh | undefined;
  readonly mask?: RunLengthMask | undefined;
}

/**
 * The best of many detections, packed: of equal scores the earlier ones. It holds at most twice the limit, so that a
 * data set's thousand categories times a hundred boxes need not be kept per image.
 */
export class BestDetections {
  private readonly limit: number;
  private size = 0;
  private scores = new Float64Array(8);
  private tags = new Int32Array(8);
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

  /** What is within the limit, in the order in which it came. */
  *[Symbol.iterator](): Generator<TaggedDetection> {
    for (const at of this.best()) {
      yield {
        score: this.scores[at]!,
        tag: this.tags[at]!,
        box: [this.boxes[at * 4]!, this.boxes[at * 4 + 1]!, this.boxes[at * 4 + 2]!, this.boxes[at * 4 + 3]!],
        mask: this.masks[at],
      };
    }
  }

  /** Places of the best, ascending. */
  private best(): Uint32Array {
    const places = Uint32Array.from({ length: this.size }, (_, at) => at);
    if (this.size <= this.limit) return places;
    return places
      .sort((a, b) => this.scores[b]! - this.scores[a]! || a - b)
      .slice(0, this.limit)
      .sort();
  }

  private keep(places: Uint32Array): void {
    places.forEach((from, to) => {
      this.scores[to] = this.scores[from]!;
      this.tags[to] = this.tags[from]!;
      this.boxes.copyWithin(to * 4, from * 4, from * 4 + 4);
      this.masks[to] = this.masks[from];
    });
    this.size = places.length;
    this.masks.length = Math.min(this.masks.length, this.size);
  }

  private grow(): void {
    const capacity = 2 * this.scores.length;
    const [scores, tags, boxes] = [
      new Float64Array(capacity),
      new Int32Array(capacity),
      new Float64Array(capacity * 4),
    ];
    scores.set(this.scores);
    tags.set(this.tags);
    boxes.set(this.boxes);
    [this.scores, this.tags, this.boxes] = [scores, tags, boxes];
  }
}
