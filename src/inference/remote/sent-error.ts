import { MdetrError, UsageError } from '../../errors.ts';
import type { SentError } from './messages.ts';

/** The parts of an error that cross threads. */
export const sentError = (error: unknown): SentError =>
  error instanceof Error
    ? { name: error.name, message: error.message, stack: error.stack }
    : { name: 'Error', message: String(error), stack: undefined };

const CLASSES: Readonly<Record<string, new (message: string) => Error>> = { MdetrError, UsageError };

/** An error of another thread, of the same class and with its stack. */
export const receivedError = ({ name, message, stack }: SentError): Error => {
  const error = new (CLASSES[name] ?? Error)(message);
  if (!(error instanceof MdetrError)) error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
};
