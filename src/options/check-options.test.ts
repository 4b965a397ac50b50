import { describe, expect, it } from 'vitest';
import { UsageError } from '../errors.ts';
import {
  booleanRule,
  checkOptions,
  integerFrom,
  numberBetween,
  oneOf,
  optionsRule,
  signalRule,
  type OptionRules,
} from './check-options.ts';

interface Options {
  readonly threshold?: number;
  readonly batchSize?: number;
  readonly masks?: boolean;
  readonly truncation?: 'error' | 'end';
  readonly signal?: AbortSignal;
  readonly decode?: { readonly orient?: boolean };
}

const rules: OptionRules<Options> = {
  threshold: numberBetween(0, 1),
  batchSize: integerFrom(1),
  masks: booleanRule,
  truncation: oneOf('error', 'end'),
  signal: signalRule,
  decode: optionsRule<NonNullable<Options['decode']>>('decode', { orient: booleanRule }),
};
const check = (options: unknown) => () => checkOptions('detect', options, rules);

describe('checkOptions', () => {
  it.each([
    [undefined],
    [{}],
    [{ threshold: 0 }],
    [{ threshold: undefined, decode: {} }],
    [{ batchSize: 3, masks: false, truncation: 'end', signal: new AbortController().signal, decode: { orient: true } }],
  ])('accepts %o', (options) => expect(check(options)).not.toThrow());

  it.each([
    [{ treshold: 0.1 }, 'detect: unknown option "treshold"; did you mean "threshold"?'],
    [{ batch_size: 1 }, 'detect: unknown option "batch_size"; did you mean "batchSize"?'],
    [{ zzz: 1 }, 'detect: unknown option "zzz"; the options are threshold, batchSize, masks'],
    [{ toString: 1 }, 'unknown option "toString"'],
    [{ threshold: 'x' }, 'detect: threshold must be a number from 0 to 1, not "x"'],
    [{ threshold: NaN }, 'not NaN'],
    [{ threshold: 1.1 }, 'not 1.1'],
    [{ batchSize: 1.5 }, 'batchSize must be an integer of at least 1, not 1.5'],
    [{ masks: 'yes' }, 'masks must be true or false'],
    [{ truncation: 'start' }, 'truncation must be "error" or "end", not "start"'],
    [{ signal: {} }, 'signal must be an AbortSignal, not an object'],
    [{ decode: { orientt: true } }, 'decode: unknown option "orientt"; did you mean "orient"?'],
    [{ decode: null }, 'decode must be an object of options, not null'],
    [7, 'detect: options must be an object, not 7'],
  ])('refuses %o', (options, message) => {
    expect(check(options)).toThrow(UsageError);
    expect(check(options)).toThrow(message);
  });
});
