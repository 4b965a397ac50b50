import type { PartTimes } from '../worker/messages.ts';

/** Weight of a new measurement in the moving averages. */
const WEIGHT = 0.1;

const moved = (average: number, value: number): number => average + WEIGHT * (value - average);

/** Costs of a model's requests: moving averages of measured times in milliseconds. */
export class CostEstimate {
  private oneMs: number;

  /** @param times measured at the start, for one image and one caption */
  constructor(private times: PartTimes) {
    this.oneMs = times.prepareMs + times.imageMs + times.textMs;
  }

  /** Time of a request for one image and one caption that runs alone. */
  get ofOne(): number {
    return this.oneMs;
  }

  /** Updates the averages with the times of a batch. */
  add(times: PartTimes, counts: { readonly requests: number; readonly images: number; readonly texts: number }): void {
    const { prepareMs, imageMs, textMs } = this.times;
    this.times = {
      prepareMs: counts.images === 0 ? prepareMs : moved(prepareMs, times.prepareMs),
      imageMs: counts.images === 0 ? imageMs : moved(imageMs, times.imageMs),
      textMs: moved(textMs, times.textMs),
    };
    if (counts.requests === 1 && counts.images === 1 && counts.texts === 1)
      this.oneMs = moved(this.oneMs, times.prepareMs + times.imageMs + times.textMs);
  }

  /** Expected time that a request adds to a queue. */
  of(texts: number, isCached: boolean): number {
    const { prepareMs, imageMs, textMs } = this.times;
    return (isCached ? 0 : prepareMs + imageMs) + texts * textMs;
  }
}
