/** One kind of thing found in a file: how often, and the first few places. */
export interface Finding {
  readonly what: string;
  /** `error`: rows that cannot be used, images that cannot be read. `warning`: what is left out or cut. `note`: worth knowing. */
  readonly severity: 'error' | 'warning' | 'note';
  count: number;
  readonly examples: string[];
}

const EXAMPLES = 5;

/** Gathers findings of equal kind. */
export class Findings {
  private readonly byKind = new Map<string, Finding>();

  add(severity: Finding['severity'], what: string, where: string, count = 1): void {
    const key = `${severity} ${what}`;
    let finding = this.byKind.get(key);
    if (finding === undefined) {
      finding = { what, severity, count: 0, examples: [] };
      this.byKind.set(key, finding);
    }
    finding.count += count;
    if (finding.examples.length < EXAMPLES) finding.examples.push(where);
  }

  /** The gravest first, then the most frequent. */
  list(): Finding[] {
    const order = ['error', 'warning', 'note'];
    return [...this.byKind.values()].sort(
      (a, b) => order.indexOf(a.severity) - order.indexOf(b.severity) || b.count - a.count,
    );
  }
}
