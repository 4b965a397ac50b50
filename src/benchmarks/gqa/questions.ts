import * as z from 'zod';
import type { CocoRow } from '../../data/format/coco-format.ts';
import { checked } from '../../datasets/source/checked.ts';
import { readJsonDictionary } from '../../datasets/source/json-entries.ts';
import type { GqaQuestion } from '../../metrics/gqa.ts';
import { questionIdOf, requireAllDetails, requireAnswer, type QuestionDetails } from '../question-answers.ts';

/** Question of a row, with the fields of the question file when there is one. @throws {MdetrError} for a row without answer */
export const gqaQuestionOf = (row: CocoRow, details?: QuestionDetails<GqaQuestion>): GqaQuestion => {
  const semantic = row.image['question_type'];
  return {
    question: row.image.caption ?? '',
    types: typeof semantic === 'string' ? { semantic } : undefined,
    ...details?.get(String(questionIdOf(row))),
    questionId: String(questionIdOf(row)),
    answer: requireAnswer(row),
  };
};

const text = z.string().nullish();
const questionSchema = z.object({
  question: z.string(),
  isBalanced: z.boolean().optional(),
  types: z.object({ structural: text, semantic: text, detailed: text }).optional(),
  semantic: z.array(z.object({ operation: z.string(), argument: z.string() })).optional(),
  groups: z.object({ global: text }).optional(),
});

/**
 * Reads types, programs and groups of questions from GQA's question file.
 *
 * @param wanted ids of the questions
 * @throws {MdetrError} when one is missing, or naming an entry and field that cannot be used
 */
export const gqaDetails = (path: string, wanted: ReadonlySet<string>): QuestionDetails<GqaQuestion> => {
  const found = new Map<string, Partial<GqaQuestion>>();
  for (const { key, value, location } of readJsonDictionary(path))
    if (wanted.has(key)) found.set(key, checked(questionSchema, value, `${path}: ${location}`));
  return requireAllDetails(found, wanted, path);
};
