/** Fraction of the requests that take longer than expected by at most the extra time. */
const QUANTILE = 0.99;

/** Largest change by one request, relative to the time of one request that runs alone. */
const STEP = 0.2;

/**
 * Time that accepted requests take beyond what is expected of them, for all but one in a hundred: the server reads and refuses other
 * requests on the same cores, requests join a batch after it was counted, and answers wait for their turn.
 *
 * The quantile is tracked by small steps, up for a request that took longer and down for one that did not, in the ratio of the
 * two fractions. So a single stop of the machine, however long, changes little.
 */
export class ExtraTime {
  private current = 0;

  /** Milliseconds, at least 0. */
  get ms(): number {
    return this.current;
  }

  /**
   * Takes the time of a finished request.
   *
   * @param extraMs its time from its acceptance on, less the expected time
   * @param ofOneMs time of a request that runs alone
   */
  add(extraMs: number, ofOneMs: number): void {
    const direction = extraMs > this.current ? QUANTILE : QUANTILE - 1;
    this.current = Math.max(0, this.current + STEP * ofOneMs * direction);
  }
}
