/** Separators of Python's `str.split()`; JavaScript's `\s` lacks some of them and includes U+FEFF. */
const WHITE_SPACE = /[\t-\r\u001C-\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+/u;

/** Splits a text into words like Python's `str.split()`. */
export const pythonWords = (text: string): string[] => text.split(WHITE_SPACE).filter((word) => word !== '');
