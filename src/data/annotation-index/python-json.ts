/**
 * Parses JSON as Python writes it: `NaN`, `Infinity` and `-Infinity`, which JSON does not have, become strings of that
 * name, so that a check of the value's type can name the field.
 *
 * @throws {SyntaxError} like `JSON.parse`
 */
export const parsePythonJson = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const repaired = text.replace(STRING_OR_NOT_FINITE, (token) => (token.startsWith('"') ? token : `"${token}"`));
    if (repaired === text) throw error;
    return JSON.parse(repaired) as unknown;
  }
};

const STRING_OR_NOT_FINITE = /"(?:[^"\\]|\\.)*"|\bNaN\b|-?\bInfinity\b/g;
