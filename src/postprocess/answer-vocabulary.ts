import { MdetrError } from '../errors.ts';

/**
 * Answers of the question-answering heads. GQA's tables (`gqa_answer2id.json`, `gqa_answer2id_by_type.json`) come with
 * the official data and are read from a file; CLEVR's answers are fixed.
 */

/** Type of a GQA question: what it asks for (an object, an attribute, a relation, the scene, a category). */
export type GqaAnswerType = 'obj' | 'attr' | 'rel' | 'global' | 'cat';

/** Types of GQA questions, in the order of the type head. */
export const GQA_ANSWER_TYPES: readonly GqaAnswerType[] = ['obj', 'attr', 'rel', 'global', 'cat'];

/** Types of CLEVR answers, in the order of the type head. */
export const CLEVR_ANSWER_TYPES = ['binary', 'attr', 'reg'] as const;
/** Type of a CLEVR answer. */
export type ClevrHeadType = (typeof CLEVR_ANSWER_TYPES)[number];

/** CLEVR's attribute values in the order of the `attr` head: sizes, colors, shapes, materials. */
export const clevrAttributes =
  'small large gray red blue green brown purple cyan yellow cube sphere cylinder rubber metal'.split(
    ' ',
  ) as readonly string[];

/** Number of counts that CLEVR's `reg` head predicts: 0 to 19. */
export const CLEVR_COUNTS = 20;

/** Answers by id for each head: GQA's split heads by type, its joint head as `unified`. */
export type AnswerVocabulary = Readonly<Partial<Record<GqaAnswerType | 'unified', readonly string[]>>>;

/** Maximum number of answers of one head; GQA has 1853. */
const MAX_ANSWERS = 1_000_000;

/**
 * Reads the parsed JSON of an answer table. Each table is a list of answers or an object of answer to id. The file has one
 * table (of the joint head), or tables by type under `obj`, `attr`, `rel`, `global`, `cat`, `unified`, with or without the
 * prefix `answer_`.
 *
 * @param where name of the file in errors
 * @throws {MdetrError} naming `where` and the entry that cannot be used
 */
export const readAnswerVocabulary = (json: unknown, where: string): AnswerVocabulary => {
  if (typeof json !== 'object' || json === null)
    throw new MdetrError(`${where}: expected a table of answers: a list, or an object of answer to id.`);
  if (Array.isArray(json)) return { unified: readTable(json, where) };
  const entries = Object.entries(json as Record<string, unknown>);
  if (entries.every(([, value]) => typeof value === 'number')) return { unified: readTable(json, where) };
  const known: readonly string[] = [...GQA_ANSWER_TYPES, 'unified'];
  const tables = entries.map(([name, table]) => {
    const head = name.startsWith('answer_') ? name.slice('answer_'.length) : name;
    if (!known.includes(head))
      throw new MdetrError(`${where}: there is no head ${JSON.stringify(name)}; the heads are ${known.join(', ')}.`);
    return [head, readTable(table, `${where}: ${name}`)] as const;
  });
  return Object.fromEntries(tables);
};

const readTable = (table: unknown, where: string): readonly string[] => {
  if (Array.isArray(table)) {
    const wrong = table.findIndex((answer) => typeof answer !== 'string');
    if (wrong >= 0) throw new MdetrError(`${where}: answer ${wrong} is ${JSON.stringify(table[wrong])}, not a string.`);
    return table as readonly string[];
  }
  if (typeof table !== 'object' || table === null)
    throw new MdetrError(`${where}: expected a list of answers or an object of answer to id.`);
  const answers: string[] = [];
  const entries = Object.entries(table as Record<string, unknown>);
  for (const [answer, id] of entries) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= Math.min(entries.length, MAX_ANSWERS))
      throw new MdetrError(
        `${where}: answer ${JSON.stringify(answer)} has id ${JSON.stringify(id)}; ` +
          `with ${entries.length} answers the ids are 0 to ${entries.length - 1}.`,
      );
    if (answers[id] !== undefined)
      throw new MdetrError(
        `${where}: ${JSON.stringify(answers[id])} and ${JSON.stringify(answer)} both have id ${id}.`,
      );
    answers[id] = answer;
  }
  return answers;
};
