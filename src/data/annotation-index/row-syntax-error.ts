import { MdetrError } from '../../errors.ts';

/** Error for a row whose text is not JSON; other rows of the file may be valid. */
export class RowSyntaxError extends MdetrError {
  /** Name of the class. */
  override name = 'RowSyntaxError';
}
