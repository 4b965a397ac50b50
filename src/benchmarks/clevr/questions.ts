import { basename } from 'node:path';
import * as z from 'zod';
import type { CocoRow } from '../../data/format/coco-format.ts';
import { checked } from '../../datasets/source/checked.ts';
import { readJsonLists } from '../../datasets/source/json-entries.ts';
import type { ClevrQuestion } from '../../metrics/clevr.ts';
import { questionIdOf, requireAllDetails, requireAnswer, type QuestionDetails } from '../question-answers.ts';

type Program = NonNullable<ClevrQuestion['program']>;

const keyOf = (file: string, question: string): string => `${basename(file)}\n${question}`;

/**
 * Key of a row's question: file name of the image, and text. Official annotation files number CLEVR's questions anew and
 * leave some out, so that the question's index does not identify it.
 */
export const clevrKeyOf = ({ image }: CocoRow): string => keyOf(image.file_name, image.caption ?? '');

/** Question of a row, with the program of the question file when there is one. @throws {MdetrError} for a row without answer */
export const clevrQuestionOf = (row: CocoRow, details?: QuestionDetails<ClevrQuestion>): ClevrQuestion => ({
  questionId: questionIdOf(row),
  answer: requireAnswer(row),
  program: details?.get(clevrKeyOf(row))?.program ?? (row.image['program'] as Program | undefined),
});

const functionSchema = z.object({ function: z.string().optional(), type: z.string().optional() });
const questionSchema = z.object({
  image_filename: z.string(),
  question: z.string(),
  program: z.array(functionSchema),
});

/**
 * Reads the programs of questions from CLEVR's question file.
 *
 * @param wanted keys of the questions, by `clevrKeyOf`
 * @throws {MdetrError} when one is missing, or naming an entry and field that cannot be used
 */
export const clevrDetails = (path: string, wanted: ReadonlySet<string>): QuestionDetails<ClevrQuestion> => {
  const found = new Map<string, Partial<ClevrQuestion>>();
  for (const { value, location } of readJsonLists(path, ['questions'])) {
    const { image_filename: file, question, program } = checked(questionSchema, value, `${path}: ${location}`);
    const key = keyOf(file, question);
    // The metrics use the last function only, so the rest of the program is not kept in memory.
    if (wanted.has(key)) found.set(key, { program: program.slice(-1) });
  }
  return requireAllDetails(found, wanted, path);
};
