import { MdetrError, messageOf } from '../errors.ts';

/** An error on its way to another thread: errors lose their class between threads. */
export interface ThreadFailure {
  readonly message: string;
  /** One that people can do something about. */
  readonly isMendable: boolean;
  readonly stack?: string;
}

export const failureOf = (error: unknown): ThreadFailure => ({
  message: messageOf(error),
  isMendable: error instanceof MdetrError,
  ...(error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {}),
});

/** The error that a failure was made of. */
export const restoredError = ({ message, isMendable, stack }: ThreadFailure): Error =>
  isMendable ? new MdetrError(message) : Object.assign(new Error(message), { stack });
