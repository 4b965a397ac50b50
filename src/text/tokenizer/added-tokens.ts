/** Token that is matched in the caption before it is split into words. */
export interface AddedToken {
  readonly content: string;
  readonly id: number;
  /** The token includes the white space before it. */
  readonly lstrip: boolean;
  /** The token includes the white space after it. */
  readonly rstrip: boolean;
}

/** Maximum length of an added token in UTF-16 units: published ones have at most some dozen. */
export const LONGEST_ADDED_TOKEN = 256;

/** Maximum number of added tokens. */
export const MAX_ADDED_TOKENS = 10_000;

/**
 * Finds added tokens in captions, the longest one if several start at one position. The time per character is that of a few
 * lookups, however many tokens there are: a pattern of all of them would take seconds for tokens with a common beginning.
 */
export class AddedTokens {
  private readonly tokens: ReadonlyMap<string, AddedToken>;
  /** Lengths of the tokens that begin with a UTF-16 unit, longest first. */
  private readonly lengths = new Map<number, readonly number[]>();

  constructor(tokens: readonly AddedToken[]) {
    this.tokens = new Map(tokens.map((token) => [token.content, token]));
    const lengths = new Map<number, Set<number>>();
    for (const content of this.tokens.keys()) {
      const unit = content.charCodeAt(0);
      lengths.set(unit, (lengths.get(unit) ?? new Set()).add(content.length));
    }
    for (const [unit, own] of lengths)
      this.lengths.set(
        unit,
        [...own].sort((a, b) => b - a),
      );
  }

  /** Occurrences in a text from left to right, without overlaps. */
  *in(text: string): Generator<{ readonly token: AddedToken; readonly index: number }> {
    if (this.tokens.size === 0) return;
    for (let index = 0; index < text.length;) {
      const token = this.at(text, index);
      if (token !== undefined) yield { token, index };
      index += token?.content.length ?? 1;
    }
  }

  private at(text: string, index: number): AddedToken | undefined {
    for (const length of this.lengths.get(text.charCodeAt(index)) ?? []) {
      const token = index + length > text.length ? undefined : this.tokens.get(text.slice(index, index + length));
      if (token !== undefined) return token;
    }
    return undefined;
  }
}
