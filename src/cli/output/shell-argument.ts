/** A text as one argument of a command line that can be pasted into a shell: quoted, unless it has safe characters only. */
export const shellArgument = (text: string): string =>
  /^[\w./=:+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
