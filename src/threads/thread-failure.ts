import { MdetrError, messageOf } from '../errors.ts';

/** Serialized form of an error for other threads, since errors lose their class between threads. */
export interface ThreadFailure {
  readonly message: string;
  /** True for an `MdetrError`, which the user can fix. */
  readonly isFixable: boolean;
  readonly stack?: string | undefined;
}

/** The parts of an error that another thread needs to rethrow it. */
export const failureOf = (error: unknown): ThreadFailure => ({
  message: messageOf(error),
  isFixable: error instanceof MdetrError,
  stack: error instanceof Error ? error.stack : undefined,
});

/** Recreates the error from its serialized form. */
export const restoredError = ({ message, isFixable, stack }: ThreadFailure): Error =>
  isFixable ? new MdetrError(message) : Object.assign(new Error(message), { stack });
