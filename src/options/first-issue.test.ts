import { expect, it } from 'vitest';
import * as z from 'zod';
import { firstIssue } from './first-issue.ts';

const issueOf = (schema: z.ZodType, value: unknown) => firstIssue(schema.safeParse(value).error!);

it('names the field and what is wrong, and cuts names from the value', () => {
  const schema = z.strictObject({ kind: z.enum(['a', 'b']).optional(), rows: z.array(z.int()).optional() });
  expect(issueOf(schema, { rows: [1, 'x'] })).toEqual({
    field: 'rows.1',
    message: 'Invalid input: expected number, received string',
    predicate: 'invalid input: expected number, received string',
  });
  expect(issueOf(schema, 7).field).toBe('');
  const long = 'x'.repeat(1000);
  expect(issueOf(schema, { [long]: 1 }).message.length).toBeLessThanOrEqual(100);
  expect(issueOf(z.record(z.string(), z.int()), { [long]: 'x' }).field.length).toBeLessThanOrEqual(100);
  const many = Array.from({ length: 50 }, (_, index) => `option${index}`) as [string, ...string[]];
  expect(issueOf(z.enum(many), 'x').message).toContain('option49');
});
