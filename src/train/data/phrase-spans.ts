import { MdetrError, quoted } from '../../errors.ts';
import type { Span } from '../../text/spans/span.ts';

const WORD_CHARACTER = /[\p{L}\p{N}_]/u;

/**
 * The range of a phrase in a caption, in UTF-16 units. The phrase is matched exactly and at word borders.
 *
 * @param occurrence which of several occurrences, from 1 on; required if there are several
 * @throws {MdetrError} if the phrase does not occur, or occurs several times and `occurrence` does not say which
 */
export const spanOfPhrase = (caption: string, phrase: string, occurrence: number | undefined): Span => {
  if (phrase.trim() === '')
    throw new MdetrError('phrase is empty: give the words of the caption that refer to the box');
  const spans: Span[] = [];
  for (let start = caption.indexOf(phrase); start >= 0; start = caption.indexOf(phrase, start + 1)) {
    const end = start + phrase.length;
    if (!continuesWord(caption, start) && !continuesWord(caption, end)) spans.push({ start, end });
  }
  const shown = quoted(phrase);
  if (spans.length === 0) throw new MdetrError(`phrase ${shown} does not occur in the caption ${quoted(caption)}`);
  if (occurrence === undefined) {
    if (spans.length > 1)
      throw new MdetrError(
        `phrase ${shown} occurs ${spans.length} times in the caption: say which by occurrence (1 to ${spans.length})`,
      );
    return spans[0]!;
  }
  const span = Number.isInteger(occurrence) ? spans[occurrence - 1] : undefined;
  if (span === undefined)
    throw new MdetrError(
      `occurrence of phrase ${shown} must be an integer from 1 to ${spans.length}, not ${occurrence}`,
    );
  return span;
};

/** Whether a word of the text extends over the border at `index`. */
const continuesWord = (text: string, index: number): boolean => {
  const before = Array.from(text.slice(Math.max(0, index - 2), index)).at(-1) ?? '';
  const [after = ''] = text.slice(index, index + 2);
  return WORD_CHARACTER.test(before) && WORD_CHARACTER.test(after);
};

/**
 * A range in code points, as annotation files have it, for one in UTF-16 units.
 *
 * @throws {MdetrError} if the span is not a range of the text, or splits a character
 */
export const codePointSpan = (text: string, span: Span): readonly [start: number, end: number] => {
  const { start, end } = span;
  const isBorder = (index: number): boolean =>
    Number.isInteger(index) && !/^[\uD800-\uDBFF][\uDC00-\uDFFF]/.test(text.slice(Math.max(0, index - 1), index + 1));
  if (!(start >= 0 && start < end && end <= text.length && isBorder(start) && isBorder(end)))
    throw new MdetrError(
      `spans must be { start, end } in UTF-16 units, ranges of the caption (${text.length} units), not ${JSON.stringify(span)}`,
    );
  return [Array.from(text.slice(0, start)).length, Array.from(text.slice(0, end)).length];
};
