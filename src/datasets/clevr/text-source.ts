import { z } from 'zod';
import { checked } from '../checked.ts';
import type { ProgramStep } from './program-phrases.ts';

/** CLEVR says `function`, its generator and CLEVR-Ref+ say `type`; `_output` of a set is a list. */
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

/** A question or an expression. */
export interface ClevrText {
  readonly imageIndex: number;
  readonly imageFileName: string | undefined;
  /** Its number in the file. */
  readonly index: number | undefined;
  readonly text: string;
  readonly answer: string | undefined;
  readonly program: readonly ProgramStep[] | undefined;
}

export const questionOf = (value: unknown, place: string): ClevrText => {
  const { image_index, image_filename, question_index, question, answer, program } = checked(
    questionSchema,
    value,
    place,
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

export const expressionOf = (value: unknown, place: string): ClevrText => {
  const { image_index, refexp_index, refexp, program } = checked(expressionSchema, value, place);
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
