/** Weights of a request that took longer than the present factor says, and of one that took less: near the slowest twentieth. */
const [RISE, FALL] = [0.2, 0.01];
/** Limit of the factor, so that one stop of the machine does not refuse everything for long. */
const MAX_FACTOR = 8;

/**
 * Factor between the time that accepted requests really take and what is expected of them: the server reads and refuses other
 * requests on the same cores, and computation that was measured alone is slower beside that.
 */
export class Overrun {
  private current = 1;

  /** At least 1. */
  get factor(): number {
    return this.current;
  }

  /** Takes the times of a finished request in milliseconds, from its acceptance on. */
  add(expectedMs: number, tookMs: number): void {
    const ratio = tookMs / expectedMs;
    const moved = this.current + (ratio > this.current ? RISE : FALL) * (ratio - this.current);
    this.current = Math.min(MAX_FACTOR, Math.max(1, moved));
  }
}
