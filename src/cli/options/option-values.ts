import { InvalidArgumentError } from 'commander';
import { MdetrError, UsageError } from '../../errors.ts';
import { readTextFile } from '../../files/json/json-file.ts';

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

/** Parses a fraction in [0, 1). */
export const fractionBelowOne = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value < 1)) throw new InvalidArgumentError('It must be from 0 to below 1.');
  return value;
};

/** Parses a rate per second, or a time in seconds. */
export const rateOrSeconds = (text: string): number => {
  const value = Number(text);
  if (!(value >= 0.001 && value <= 1000)) throw new InvalidArgumentError('It must be a number from 0.001 to 1000.');
  return value;
};

/** Parses a positive number of millions: `50` becomes 50,000,000. */
export const millions = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value <= 1e6))
    throw new InvalidArgumentError('It must be a positive number of millions.');
  return Math.round(value * 1e6);
};

/** Collects the values of an option that may be repeated. */
export const collect = (text: string, before: readonly string[] | undefined): readonly string[] => [
  ...(before ?? []),
  text,
];

/** Path of a folder without the slashes at its end. The root stays as it is. */
export const withoutEndSlash = (path: string): string => path.replace(/(?<=.)[\\/]+$/, '');

/** Collects the captions of an option that may be repeated. */
export const collectCaptions = (text: string, before: readonly string[] | undefined): readonly string[] => {
  if (text.trim() === '') throw new InvalidArgumentError('It is empty: give a caption.');
  return collect(text, before);
};

/**
 * Captions of a required option. A value `@FILE` stands for the lines of a text file, `@@` for a caption that begins with
 * `@`. Commander does not check that there are any, because it would report the option as missing before it reports a
 * misspelled one.
 *
 * @throws {UsageError} if there are none
 * @throws {MdetrError} if a file cannot be read or is empty
 */
export const requireCaptions = async (
  option: string,
  captions: readonly string[] | undefined,
): Promise<readonly string[]> => {
  if (captions === undefined) throw new UsageError(`${option} TEXT is required`);
  const all: string[] = [];
  for (const caption of captions) {
    if (!caption.startsWith('@') || caption.startsWith('@@') || caption.length === 1) {
      all.push(caption.replace(/^@@/, '@'));
      continue;
    }
    const path = caption.slice(1);
    const lines = (await readTextFile(path)).split(/\r\n|\n|\r/).filter((line) => line.trim() !== '');
    if (lines.length === 0) throw new MdetrError(`${path}: has no captions; write one in each line`);
    all.push(...lines);
  }
  return all;
};

/** Collects settings of the form KEY=VALUE. */
export const collectSettings = (text: string, before: readonly string[] | undefined): readonly string[] => {
  if (!/^[^=\s]+=/.test(text)) throw new InvalidArgumentError('Write KEY=VALUE.');
  return collect(text, before);
};
