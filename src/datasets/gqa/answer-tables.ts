import { join } from 'node:path';
import { replaceFile } from '../../files/atomic-file.ts';

/** Question types in the order of the official table. */
const TYPES = ['obj', 'attr', 'rel', 'global', 'cat'];
/** Class that training uses for answers that are not in the table. */
const UNKNOWN = 'unknown';

/** Names of the written files: ids of all answers, and per head. */
export const ANSWER_TABLE_FILES = ['gqa_answer2id.json', 'gqa_answer2id_by_type.json'] as const;

/** Counts answers and assigns ids by descending frequency (ties by name), in the form of the official tables. */
export class AnswerTables {
  private readonly counts = new Map(TYPES.map((type) => [type, new Map<string, number>()]));
  private readonly all = new Map<string, number>();

  add(type: string, answer: string): void {
    increment(this.all, answer);
    const own = this.counts.get(type);
    if (own !== undefined) increment(own, answer);
  }

  /** Ids by answer, over all questions and per head. Every table ends with "unknown". */
  get tables(): { readonly all: Record<string, number>; readonly byType: Record<string, Record<string, number>> } {
    return {
      all: numbered(this.all),
      byType: Object.fromEntries([...this.counts].map(([type, counts]) => [`answer_${type}`, numbered(counts)])),
    };
  }

  /**
   * Writes gqa_answer2id.json and gqa_answer2id_by_type.json.
   * @throws {MdetrError} if a file cannot be written
   */
  async write(folder: string): Promise<void> {
    const { all, byType } = this.tables;
    await replaceFile(join(folder, ANSWER_TABLE_FILES[0]), `${JSON.stringify(all)}\n`);
    await replaceFile(join(folder, ANSWER_TABLE_FILES[1]), `${JSON.stringify(byType)}\n`);
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
