import { InvalidArgumentError } from 'commander';
import { UsageError } from '../../errors.ts';

/** What options accept. Commander puts the option's name before these messages. */

/** Whole numbers from `least` on. */
export const wholeFrom =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least)
      throw new InvalidArgumentError(`It must be a whole number from ${least} on.`);
    return value;
  };

/** A probability or share. */
export const fraction = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1)) throw new InvalidArgumentError('It must be from 0 to 1.');
  return value;
};

/** A positive number of millions, as a plain number: `50` is 50,000,000. */
export const millions = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value <= 1e6))
    throw new InvalidArgumentError('It must be a number of millions above 0.');
  return Math.round(value * 1e6);
};

/** Gathers the texts of an option that may be given several times. */
export const several = (text: string, before: readonly string[] | undefined): readonly string[] => {
  if (text.trim() === '') throw new InvalidArgumentError('It is empty: say what to look for.');
  return [...(before ?? []), text];
};

/**
 * The texts of an option that must be given. Checked here and not by Commander, which would find the option missing
 * before it finds it misspelt.
 */
export const requireTexts = (option: string, texts: readonly string[] | undefined): readonly string[] => {
  if (texts === undefined) throw new UsageError(`${option} TEXT is missing: say what to look for`);
  return texts;
};

/** Gathers settings of the form KEY=VALUE. */
export const severalSettings = (text: string, before: readonly string[] | undefined): readonly string[] => {
  if (!/^[^=\s]+=/.test(text)) throw new InvalidArgumentError('Write KEY=VALUE.');
  return [...(before ?? []), text];
};
