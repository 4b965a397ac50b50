import { MdetrError, quoted } from '../errors.ts';

const MEBIBYTE = 2 ** 20;
/** Budget of any file, however small. */
const FLOOR_BYTES = 64 * MEBIBYTE;
/** Highest budget unless the user sets another: a file that needs more is unusual. */
const DEFAULT_LIMIT_BYTES = 16 * 2 ** 30;

const SETTING = 'MDETR_READ_LIMIT_MB';

/** Limit that the user set with `MDETR_READ_LIMIT_MB`, in bytes. @throws {MdetrError} if it is not a number */
const userLimit = (): number | undefined => {
  const text = process.env[SETTING];
  if (text === undefined || text === '') return undefined;
  const megabytes = Number(text);
  if (!(megabytes > 0)) throw new MdetrError(`${SETTING} must be a number of megabytes, got ${quoted(text)}`);
  return megabytes * MEBIBYTE;
};

export interface ReadBudgetOptions {
  /** Name of the file, for messages. */
  readonly name: string;
  /** Size of the file, or of the part that describes the contents. */
  readonly fileBytes: number;
  /** Name of that which is made from the file, for messages: "its tensors". */
  readonly what: string;
  /** Bytes that each byte of the file may become. Default: 4. */
  readonly factor?: number;
  /** Budget of a small file, in bytes. Default: 64 MiB. */
  readonly floorBytes?: number;
}

/**
 * Limit on the memory or disk space that a reader creates from one file, so that a small file cannot have a large cost.
 * It follows from the size of the file: `factor` times the size, at least `floorBytes`, at most 16 GiB. The environment
 * variable `MDETR_READ_LIMIT_MB` replaces it.
 */
export class ReadBudget {
  readonly #options: ReadBudgetOptions;
  readonly #limit: number;
  #used = 0;

  constructor(options: ReadBudgetOptions) {
    const { fileBytes, factor = 4, floorBytes = FLOOR_BYTES } = options;
    this.#options = options;
    this.#limit = userLimit() ?? Math.min(DEFAULT_LIMIT_BYTES, Math.max(floorBytes, factor * fileBytes));
  }

  /** Charges for `bytes` before they are created. @throws {MdetrError} when the budget is used up */
  charge(bytes: number): void {
    this.#used += bytes;
    if (this.#used <= this.#limit) return;
    const { name, fileBytes, what } = this.#options;
    throw new MdetrError(
      `${name}: refused, ${what} take more than ${Math.round(this.#limit / MEBIBYTE)} MB in a file of ${fileBytes} ` +
        `bytes. If you trust the file, raise the limit with ${SETTING}`,
    );
  }
}
