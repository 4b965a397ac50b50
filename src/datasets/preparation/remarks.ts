import type { Remark } from './preparation.ts';

const MAX_EXAMPLES = 3;

/** Collects remarks of a preparation: a count per kind, and the first few locations of each. */
export class Remarks {
  private readonly found = new Map<string, { count: number; examples: string[] }>();

  /** Counts an observation at a location. Equal sentences are counted together. */
  add(what: string, location: string, count = 1): void {
    let remark = this.found.get(what);
    if (remark === undefined) this.found.set(what, (remark = { count: 0, examples: [] }));
    remark.count += count;
    if (remark.examples.length < MAX_EXAMPLES) remark.examples.push(location);
  }

  /** All observations, with counts and the first locations. */
  get list(): Remark[] {
    return [...this.found].map(([what, { count, examples }]) => ({ what, count, examples }));
  }
}
