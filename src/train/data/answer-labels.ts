import { join } from 'node:path';
import { MdetrError, messageOf, quoted } from '../../errors.ts';
import { readJsonFileSync } from '../../files/json/json-file.ts';
import {
  CLEVR_ANSWER_TYPES,
  clevrAttributes,
  CLEVR_COUNTS,
  GQA_ANSWER_TYPES,
} from '../../postprocess/answer-vocabulary.ts';
import { clevrAnswerType } from '../../metrics/clevr.ts';
import { qaDataset, type ModelConfig } from '../../models/index.ts';
import { NO_LABEL } from '../../losses/index.ts';

/** Answer of a row as its file states it. */
export interface RowAnswer {
  readonly answer: string;
  /** Type of a GQA question: `obj`, `attr`, `rel`, `global`, `cat`. */
  readonly question_type?: string | undefined;
}

/** Labels of the question heads by official name; undefined for a caption that is no question. */
export type AnswerLabeler = (row: RowAnswer | undefined) => Readonly<Record<string, number>>;

/** Labels for CLEVR: yes or no, one of fifteen attribute values, or a number. */
export const clevrLabels: AnswerLabeler = (row) => {
  if (row === undefined)
    return { answer_type: NO_LABEL, answer_binary: 0, answer_attr: NO_LABEL, answer_reg: NO_LABEL };
  const { answer } = row;
  const type = clevrAnswerType(answer);
  const attribute = clevrAttributes.indexOf(answer);
  if (type === 'attr' && attribute < 0)
    throw new MdetrError(
      `${quoted(answer)} is neither yes or no, nor a number, nor one of ${clevrAttributes.join(', ')}`,
    );
  if (type === 'reg' && Number(answer) >= CLEVR_COUNTS)
    throw new MdetrError(
      `${quoted(answer)} is above ${CLEVR_COUNTS - 1}, the largest number that the network can answer`,
    );
  return {
    answer_type: CLEVR_ANSWER_TYPES.indexOf(type),
    answer_binary: Number(answer === 'yes'),
    answer_attr: type === 'attr' ? attribute : NO_LABEL,
    answer_reg: type === 'reg' ? Number(answer) : NO_LABEL,
  };
};

type IdTable = Readonly<Record<string, number>>;

/**
 * Labels for GQA from the id tables of the official annotations. Answers that a table lacks are labeled "unknown".
 *
 * @throws {MdetrError} when a table cannot be read
 */
const gqaLabels = (folder: string, hasSplitHeads: boolean): AnswerLabeler => {
  const joint = readTable(join(folder, 'gqa_answer2id.json')) as IdTable;
  const byType = hasSplitHeads
    ? (readTable(join(folder, 'gqa_answer2id_by_type.json')) as Readonly<Record<string, IdTable>>)
    : {};
  const idIn = (table: IdTable | undefined, answer: string): number =>
    table?.[Object.hasOwn(table, answer) ? answer : 'unknown'] ?? NO_LABEL;
  return (row): Record<string, number> => {
    const { answer, question_type: type = '' } = row ?? { answer: '' };
    const typeId = GQA_ANSWER_TYPES.findIndex((name) => name === type);
    if (row !== undefined && hasSplitHeads && typeId < 0)
      throw new MdetrError(`question_type ${quoted(type)} is none of ${GQA_ANSWER_TYPES.join(', ')}`);
    if (!hasSplitHeads) return { answer: row === undefined ? NO_LABEL : idIn(joint, answer) };
    return {
      answer_type: row === undefined ? NO_LABEL : typeId,
      ...Object.fromEntries(
        GQA_ANSWER_TYPES.map((name) => [
          `answer_${name}`,
          row !== undefined && name === type ? idIn(byType[`answer_${name}`], answer) : NO_LABEL,
        ]),
      ),
    };
  };
};

/** Labels of a caption that is no question, for a network's question heads; undefined for a network without. */
export const labelsWithoutAnswer = (config: ModelConfig): Readonly<Record<string, number>> | undefined => {
  const dataset = qaDataset(config);
  if (dataset === undefined) return undefined;
  if (dataset === 'clevr') return clevrLabels(undefined);
  if (!config.split_qa_heads) return { answer: NO_LABEL };
  return Object.fromEntries(['type', ...GQA_ANSWER_TYPES].map((name) => [`answer_${name}`, NO_LABEL]));
};

/** Labeler of a network's question heads; undefined for a network without. */
export const labelerFor = (config: ModelConfig, gqaFolder: string): AnswerLabeler | undefined => {
  const dataset = qaDataset(config);
  if (dataset === undefined) return undefined;
  return dataset === 'clevr' ? clevrLabels : gqaLabels(gqaFolder, config.split_qa_heads);
};

const readTable = (path: string): unknown => {
  try {
    return readJsonFileSync(path);
  } catch (error) {
    throw new MdetrError(
      `${messageOf(error)}. The answer ids of GQA come with the official annotations; set ` +
        'gqa_ann_path to their folder.',
      { cause: error },
    );
  }
};
