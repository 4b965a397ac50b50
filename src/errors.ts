/**
 * An error whose cause lies outside the program and that the user can fix: a file, a setting, an input. The message
 * names the cause, its location and the way out. The command line prints it on one line and exits with status 1.
 */
export class MdetrError extends Error {
  /** Name of the class. */
  override name = 'MdetrError';
}

/** An error in the call itself, such as an unknown option or a missing argument. Exit status 2. */
export class UsageError extends MdetrError {
  /** Name of the class. */
  override name = 'UsageError';
}

/** Message of anything that was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Characters of a text from a file that an error repeats. Paths are repeated whole. */
const EXCERPT_LENGTH = 100;

/** Beginning of a text from a file, for an error. A cut is marked by an ellipsis. */
export const excerpt = (text: string): string =>
  text.length > EXCERPT_LENGTH ? `${text.slice(0, EXCERPT_LENGTH - 1)}…` : text;

/** Beginning of a value from a file as JSON, for an error: a text is in double quotes. */
export const quoted = (value: unknown): string => {
  if (typeof value === 'string') return JSON.stringify(excerpt(value));
  const text = JSON.stringify(value) as string | undefined;
  return excerpt(text ?? String(value));
};

/** Code of a system error, such as `ENOENT`; undefined for any other error. */
export const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** Plain words for the codes of the file system. */
const FILE_REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EEXIST: 'a file with this name exists',
  ENOTDIR: 'a part of its path is a file, not a folder',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'its symbolic links lead in a circle',
  EFBIG: 'the file would be too large',
  ENXIO: 'it is a socket, or a device that is not there',
  EIO: 'the disk reports an input or output error',
  ESTALE: 'the network drive has lost the file',
  EBUSY: 'it is in use',
  ETXTBSY: 'it is in use',
};

/** Reason why a file operation failed, in words. Errors that are not the file system's give their own message. */
export const fileReason = (error: unknown): string => {
  const code = errorCode(error);
  return code === undefined ? messageOf(error) : (FILE_REASONS[code] ?? code);
};
