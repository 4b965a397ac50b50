import { MdetrError, messageOf } from '../../errors.ts';

/** Runs `work`, which may be asynchronous, and puts `where` and a colon before the message of its `MdetrError`. */
export const withContext = <T>(where: string, work: () => T): T => {
  const rethrow = (error: unknown): never => {
    if (!(error instanceof MdetrError)) throw error;
    throw new MdetrError(`${where}: ${messageOf(error)}`, { cause: error });
  };
  try {
    const result = work();
    return result instanceof Promise ? (result.catch(rethrow) as T) : result;
  } catch (error) {
    return rethrow(error);
  }
};
