/** Noun that a word or name of a caption means. */
export interface NounMatch {
  readonly noun: string;
  readonly isPlural: boolean;
  /** Range of the name in UTF-16 units. */
  readonly start: number;
  readonly end: number;
}

/** Written form of a lexicon: names by noun, and irregular plurals. */
export interface LexiconJson {
  readonly synonyms: Readonly<Record<string, readonly string[]>>;
  readonly plurals: Readonly<Record<string, string>>;
}

/** Words of nouns: synonyms and kinds, in singular and plural, also of several words. */
export class Lexicon {
  private readonly byName = new Map<string, { readonly noun: string; readonly isPlural: boolean }>();
  private readonly longest: number;

  private constructor(readonly json: LexiconJson) {
    let longest = 1;
    for (const [noun, synonyms] of Object.entries(json.synonyms))
      for (const name of [noun, ...synonyms]) {
        longest = Math.max(longest, name.split(' ').length);
        const plural = this.pluralOf(name);
        if (plural !== name && !this.byName.has(plural)) this.byName.set(plural, { noun, isPlural: true });
        this.byName.set(name, { noun, isPlural: false });
      }
    this.longest = longest;
  }

  static fromSynonyms(
    synonyms: Readonly<Record<string, readonly string[]>>,
    plurals: Readonly<Record<string, string>>,
  ): Lexicon {
    return new Lexicon({ synonyms, plurals });
  }

  get nouns(): readonly string[] {
    return Object.keys(this.json.synonyms);
  }

  /** All names with their noun. */
  get names(): Iterable<readonly [name: string, meaning: { readonly noun: string; readonly isPlural: boolean }]> {
    return this.byName;
  }

  namesOf(noun: string): readonly string[] {
    return [noun, ...(this.json.synonyms[noun] ?? [])];
  }

  /** Plural of a name: its last word in the irregular or regular form. */
  pluralOf(name: string): string {
    const { plurals } = this.json;
    const known = plurals[name];
    if (known !== undefined) return known;
    const words = name.split(' ');
    const last = words.at(-1)!;
    return [...words.slice(0, -1), plurals[last] ?? regularPlural(last)].join(' ');
  }

  /** Names in a text, longest first at each position, case ignored. */
  find(text: string): readonly NounMatch[] {
    const words = Array.from(text.toLowerCase().matchAll(/[\p{L}\p{N}]+/gu), (match) => ({
      text: match[0],
      start: match.index,
      end: match.index + match[0].length,
    }));
    const matches: NounMatch[] = [];
    for (let at = 0; at < words.length; at++)
      for (let length = Math.min(this.longest, words.length - at); length > 0; length--) {
        const name = words
          .slice(at, at + length)
          .map((word) => word.text)
          .join(' ');
        const meaning = this.byName.get(name);
        if (meaning === undefined) continue;
        matches.push({ ...meaning, start: words[at]!.start, end: words[at + length - 1]!.end });
        at += length - 1;
        break;
      }
    return matches;
  }
}

/** Plural of a word by the rules of spelling. */
export const regularPlural = (word: string): string => {
  if (/[^aeiou]y$/.test(word)) return `${word.slice(0, -1)}ies`;
  return /(?:s|x|z|ch|sh)$/.test(word) ? `${word}es` : `${word}s`;
};
