const IRREGULAR: Readonly<Record<string, string>> = {
  person: 'people',
  man: 'men',
  woman: 'women',
  child: 'children',
  foot: 'feet',
  tooth: 'teeth',
  goose: 'geese',
  mouse: 'mice',
  ox: 'oxen',
  leaf: 'leaves',
  knife: 'knives',
  wolf: 'wolves',
  shelf: 'shelves',
  loaf: 'loaves',
  half: 'halves',
  calf: 'calves',
  sheep: 'sheep',
  fish: 'fish',
  deer: 'deer',
  aircraft: 'aircraft',
};

/** Plural of an English noun phrase: of its last word. */
export const pluralOf = (phrase: string): string => {
  const [, before = '', last = ''] = /^(.*?)([^ ]*)$/.exec(phrase) ?? [];
  return before + pluralWord(last);
};

const pluralWord = (word: string): string => {
  if (Object.hasOwn(IRREGULAR, word)) return IRREGULAR[word]!;
  if (/(s|x|z|ch|sh)$/i.test(word)) return `${word}es`;
  if (/[^aeiou]y$/i.test(word)) return `${word.slice(0, -1)}ies`;
  return /[a-z]$/i.test(word) ? `${word}s` : word;
};

/** A phrase with its indefinite article. */
export const withArticle = (phrase: string): string => `${/^[aeiou]/i.test(phrase) ? 'an' : 'a'} ${phrase}`;
