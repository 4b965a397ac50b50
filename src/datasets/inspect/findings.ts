/** A kind of problem in a file: its count, and the first few locations. */
export interface Finding {
  /** The problem, in one sentence. */
  readonly what: string;
  /** `error`: the row or image cannot be used. `warning`: something is skipped or clipped. `note`: for information. */
  readonly severity: 'error' | 'warning' | 'note';
  /** Number of rows or images with it. */
  count: number;
  /** Locations of the first few. */
  readonly examples: string[];
}

const MAX_EXAMPLES = 5;

/** Collects findings by severity and kind. */
export class Findings {
  private readonly byKind = new Map<string, Finding>();

  add(severity: Finding['severity'], what: string, location: string, count = 1): void {
    const key = `${severity} ${what}`;
    let finding = this.byKind.get(key);
    if (finding === undefined) {
      finding = { what, severity, count: 0, examples: [] };
      this.byKind.set(key, finding);
    }
    finding.count += count;
    if (finding.examples.length < MAX_EXAMPLES) finding.examples.push(location);
  }

  /** Findings by severity, then by descending count. */
  list(): Finding[] {
    const order = ['error', 'warning', 'note'];
    return [...this.byKind.values()].sort(
      (a, b) => order.indexOf(a.severity) - order.indexOf(b.severity) || b.count - a.count,
    );
  }
}
