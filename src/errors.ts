/**
 * Something outside the program is wrong and the reader can mend it: a file, a setting, an input.
 * The message names what and where, and the way out. The command line prints it on one line and exits with status 1.
 */
export class MdetrError extends Error {
  override name = 'MdetrError';
}

/** The call itself was wrong (an unknown option, a missing argument): exit status 2. */
export class UsageError extends MdetrError {
  override name = 'UsageError';
}

/** One line out of whatever was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
