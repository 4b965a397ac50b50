import type { Remark } from './preparation.ts';

const EXAMPLES = 3;

/** Counts things by what they are and keeps the first few places of each. */
export class Remarks {
  private readonly found = new Map<string, { count: number; examples: string[] }>();

  add(what: string, place: string, count = 1): void {
    let remark = this.found.get(what);
    if (remark === undefined) this.found.set(what, (remark = { count: 0, examples: [] }));
    remark.count += count;
    if (remark.examples.length < EXAMPLES) remark.examples.push(place);
  }

  get list(): Remark[] {
    return [...this.found].map(([what, { count, examples }]) => ({ what, count, examples }));
  }
}
