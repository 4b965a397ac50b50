import { MdetrError } from '../../errors.ts';

/** Thrown in the other threads or processes of a group when one of them has failed. */
export class GroupEnded extends MdetrError {
  /** @param isReported whether another process reports the failure, so that this one ends without a message */
  constructor(
    message: string,
    readonly isReported = false,
  ) {
    super(message);
  }
}
