import type { PreparationProgress } from './preparation.ts';

/**
 * Progress callback for reading a file: the first call begins a step measured in megabytes, later calls advance it.
 * @param what title of the step
 */
export const megabyteProgress = (
  what: string,
  progress: PreparationProgress,
): ((bytesDone: number, bytesTotal: number) => void) => {
  let shown = -1;
  return (done, total) => {
    if (shown < 0) {
      progress.step(what, Math.ceil(total / 1e6));
      shown = 0;
    }
    const megabytes = Math.floor(done / 1e6);
    progress.advance(megabytes - shown);
    shown = megabytes;
  };
};
