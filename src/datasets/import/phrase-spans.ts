import type { CaptionRange } from './importer.ts';

/** A phrase that is to be found in a caption. */
export interface WantedPhrase {
  readonly phrase: string;
  /** Which occurrence is meant, from 0, if that is known. */
  readonly occurrence?: number | undefined;
}

/**
 * Ranges of phrases in a caption, in UTF-16 units; an empty list for a phrase that the caption lacks. Whole words are
 * preferred, and the same case. If a phrase is wanted as often as it occurs, the first wish is the first occurrence, and so
 * on; if it occurs once, all wishes are that one.
 */
export const phraseSpans = (caption: string, wanted: readonly WantedPhrase[]): readonly CaptionRange[][] => {
  const found = new Map<string, CaptionRange[]>();
  const used = new Map<string, number>();
  const counts = new Map<string, number>();
  for (const { phrase } of wanted) counts.set(phrase, (counts.get(phrase) ?? 0) + 1);
  return wanted.map(({ phrase, occurrence }) => {
    let all = found.get(phrase);
    if (all === undefined) found.set(phrase, (all = occurrencesOf(caption, phrase)));
    if (occurrence !== undefined) return all[occurrence] === undefined ? [] : [all[occurrence]];
    if (all.length < 2) return all;
    const index = used.get(phrase) ?? 0;
    used.set(phrase, index + 1);
    // More boxes than occurrences: which belongs to which is not known.
    return counts.get(phrase)! > all.length ? all : [all[index]!];
  });
};

/** All ranges of a phrase in a caption. */
const occurrencesOf = (caption: string, phrase: string): CaptionRange[] => {
  const words = phrase
    .trim()
    .split(/\s+/)
    .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  if (words[0] === '' || words[0] === undefined) return [];
  const body = words.join('\\s+');
  for (const [source, flags] of [
    [`(?<![\\p{L}\\p{N}])${body}(?![\\p{L}\\p{N}])`, 'gu'],
    [`(?<![\\p{L}\\p{N}])${body}(?![\\p{L}\\p{N}])`, 'giu'],
    [body, 'giu'],
  ] as const) {
    const ranges = [...caption.matchAll(new RegExp(source, flags))].map(({ index, 0: text }) => ({
      start: index,
      end: index + text.length,
    }));
    if (ranges.length > 0) return ranges;
  }
  return [];
};
