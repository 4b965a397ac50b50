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

/** What the system means by the names that people meet most. */
const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EEXIST: 'there is a file of this name',
  ENOTDIR: 'a file stands where a folder is needed',
  EISDIR: 'it is a folder',
  EACCES: 'that is not allowed',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk is full',
};

/** Why the system refused a file, in words. */
export const fileReason = (error: unknown): string => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  return code === undefined ? messageOf(error) : (reasons[code] ?? code);
};
