import { InvalidArgumentError } from 'commander';
import { UsageError } from '../../errors.ts';

// Parsers of option values. Commander puts the name of the option before their messages.

/** Parses integers of at least `min`. */
export const integerFrom =
  (min: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < min)
      throw new InvalidArgumentError(`It must be an integer of at least ${min}.`);
    return value;
  };

/** Parses a probability or fraction. */
export const fraction = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1)) throw new InvalidArgumentError('It must be between 0 and 1.');
  return value;
};

/** Parses a positive number of millions: `50` becomes 50,000,000. */
export const millions = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value <= 1e6))
    throw new InvalidArgumentError('It must be a positive number of millions.');
  return Math.round(value * 1e6);
};

/** Collects the captions of an option that may be repeated. */
export const collectCaptions = (text: string, before: readonly string[] | undefined): readonly string[] => {
  if (text.trim() === '') throw new InvalidArgumentError('It is empty: give a caption.');
  return [...(before ?? []), text];
};

/**
 * Captions of a required option. Commander does not check this itself, because it would report the option as missing
 * before it reports a misspelled one.
 *
 * @throws {UsageError} if there are none
 */
export const requireCaptions = (option: string, captions: readonly string[] | undefined): readonly string[] => {
  if (captions === undefined) throw new UsageError(`${option} TEXT is required`);
  return captions;
};

/** Collects settings of the form KEY=VALUE. */
export const collectSettings = (text: string, before: readonly string[] | undefined): readonly string[] => {
  if (!/^[^=\s]+=/.test(text)) throw new InvalidArgumentError('Write KEY=VALUE.');
  return [...(before ?? []), text];
};
