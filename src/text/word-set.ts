/** Set of the words of a list that is separated by spaces. */
export const wordSet = (words: string): ReadonlySet<string> => new Set(words.split(' '));
