import { fstatSync, writeSync } from 'node:fs';
import { fileReason } from '../../errors.ts';

/** Control characters that a terminal obeys: all but tab and line feed. */
const CONTROL_CHARACTERS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/**
 * Text with its control characters as `\u001b`: files may contain sequences that change the terminal's title, colors or
 * clipboard. JSON stays the same JSON.
 */
export const visible = (text: string): string =>
  text.replace(CONTROL_CHARACTERS, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Prints results on standard output. All output of commands goes through here. */
export const print = (text: string): void => {
  process.stdout.write(visible(text));
};

/** Prints a message on stderr, each of its lines marked as ours. */
export const note = (text: string): void => {
  for (const line of visible(text).split('\n')) process.stderr.write(`mdetr: ${line}\n`);
};

/** Prints the messages that were not printed before: a warning about a caption comes with every image. */
export const noteOnce = (texts: readonly string[], noted: Set<string>): void => {
  for (const text of texts) {
    if (noted.has(text)) continue;
    noted.add(text);
    note(text);
  }
};

const isFileOrDevice = (fd: number): boolean => {
  try {
    const info = fstatSync(fd);
    return info.isFile() || info.isCharacterDevice();
  } catch {
    return false;
  }
};

/**
 * Handles errors of the standard streams. Results that cannot be written end the process with exit status 1 and one line
 * that says why; a reader that has stopped (`mdetr … | head -1`) ends it with 0. Without stderr the work continues.
 */
export const guardStandardStreams = (): void => {
  const { stdout, stderr } = process;
  // Node drops the rest of a chunk that a nearly full disk takes in part.
  if (!stdout.isTTY && isFileOrDevice(1))
    stdout._write = (chunk: Uint8Array | string, encoding, done): void => {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
      try {
        for (let written = 0; written < bytes.length;) written += writeSync(1, bytes, written);
      } catch (error) {
        done(error as Error);
        return;
      }
      done();
    };
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    note(`standard output cannot be written (${fileReason(error)})`);
    process.exit(1);
  });
  stderr.on('error', () => undefined);
};
