import { join } from 'node:path';
import { replaceFile } from '../../files/atomic-file.ts';

/** Kinds of questions in the order of the official table. */
const TYPES = ['obj', 'attr', 'rel', 'global', 'cat'];
/** The answer that training uses for those not in a table. */
const UNKNOWN = 'unknown';

/** Counts answers, to number them by falling frequency (ties: by name) in the form of the official tables. */
export class AnswerTables {
  private readonly counts = new Map(TYPES.map((type) => [type, new Map<string, number>()]));
  private readonly all = new Map<string, number>();

  add(type: string, answer: string): void {
    increment(this.all, answer);
    const own = this.counts.get(type);
    if (own !== undefined) increment(own, answer);
  }

  /** Answer to id, per head; every table ends with "unknown". */
  get tables(): { readonly all: Record<string, number>; readonly byType: Record<string, Record<string, number>> } {
    return {
      all: numbered(this.all),
      byType: Object.fromEntries([...this.counts].map(([type, counts]) => [`answer_${type}`, numbered(counts)])),
    };
  }

  async write(folder: string): Promise<void> {
    const { all, byType } = this.tables;
    await replaceFile(join(folder, 'gqa_answer2id.json'), `${JSON.stringify(all)}\n`);
    await replaceFile(join(folder, 'gqa_answer2id_by_type.json'), `${JSON.stringify(byType)}\n`);
  }
}

const increment = (counts: Map<string, number>, answer: string): void => {
  counts.set(answer, (counts.get(answer) ?? 0) + 1);
};

const numbered = (counts: ReadonlyMap<string, number>): Record<string, number> => {
  const answers = [...counts].filter(([answer]) => answer !== UNKNOWN);
  answers.sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  return Object.fromEntries([...answers.map(([answer]) => answer), UNKNOWN].map((answer, id) => [answer, id]));
};
