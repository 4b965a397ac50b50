import type { WordTokens } from './word-tokens.ts';

/** Maximum length of a cached word in UTF-16 units: longer ones are rare. */
const LONGEST_CACHED_WORD = 64;
/** Maximum number of cached words; a full cache is cleared. English captions use some ten thousand words. */
const CACHE_SIZE = 1 << 16;

/** Returns a tokenizer of words that keeps the tokens of the words it has seen. */
export const cachedTokens = (tokenize: (word: string) => WordTokens): ((word: string) => WordTokens) => {
  const cache = new Map<string, WordTokens>();
  return (word) => {
    const cached = cache.get(word);
    if (cached !== undefined) return cached;
    const tokens = tokenize(word);
    if (word.length <= LONGEST_CACHED_WORD) {
      if (cache.size >= CACHE_SIZE) cache.clear();
      cache.set(word, tokens);
    }
    return tokens;
  };
};
