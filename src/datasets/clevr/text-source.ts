import * as z from 'zod';
import { checked } from '../source/checked.ts';
import type { ProgramStep } from './program-phrases.ts';

/** A program step. CLEVR uses `function`, its generator and CLEVR-Ref+ use `type`; `_output` of a set is a list. */
const stepSchema = z
  .object({
    function: z.string().optional(),
    type: z.string().optional(),
    inputs: z.array(z.int()),
    value_inputs: z.array(z.string()).default([]),
    _output: z.unknown().optional(),
  })
  .refine((step) => step.function !== undefined || step.type !== undefined, 'a step needs "function" or "type"');

const common = {
  image_index: z.int(),
  program: z.array(stepSchema).optional(),
};

const questionSchema = z.object({
  ...common,
  image_filename: z.string(),
  question_index: z.int().optional(),
  question: z.string(),
  answer: z.union([z.string(), z.boolean(), z.number()]).optional(),
});

const expressionSchema = z.object({ ...common, refexp_index: z.int().optional(), refexp: z.string() });

/** A question of CLEVR or an expression of CLEVR-Ref+. */
export interface ClevrText {
  readonly imageIndex: number;
  readonly imageFileName: string | undefined;
  /** Index of the question or expression as the file states it. */
  readonly index: number | undefined;
  readonly text: string;
  readonly answer: string | undefined;
  readonly program: readonly ProgramStep[] | undefined;
}

/** Reads an entry of CLEVR's `questions`. @throws {MdetrError} naming the first wrong field */
export const questionOf = (value: unknown, location: string): ClevrText => {
  const { image_index, image_filename, question_index, question, answer, program } = checked(
    questionSchema,
    value,
    location,
  );
  return {
    imageIndex: image_index,
    imageFileName: image_filename,
    index: question_index,
    text: question,
    answer: typeof answer === 'boolean' ? (answer ? 'yes' : 'no') : answer?.toString(),
    program: program?.map(stepOf),
  };
};

/** Reads an entry of CLEVR-Ref+'s `refexps`. @throws {MdetrError} naming the first wrong field */
export const expressionOf = (value: unknown, location: string): ClevrText => {
  const { image_index, refexp_index, refexp, program } = checked(expressionSchema, value, location);
  return {
    imageIndex: image_index,
    imageFileName: undefined,
    index: refexp_index,
    text: refexp,
    answer: undefined,
    program: program?.map(stepOf),
  };
};

const stepOf = ({
  function: name,
  type,
  inputs,
  value_inputs: values,
  _output,
}: z.output<typeof stepSchema>): ProgramStep => ({
  function: (name ?? type)!,
  inputs,
  values,
  output: z.array(z.int()).safeParse(_output).data,
});
