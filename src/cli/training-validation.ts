import type { TrainConfig } from '../train/config.ts';
import type { RunOptions } from '../train/training-run.ts';

/** How a run is measured while it goes on. */
export const validatorFor = (_config: TrainConfig): Pick<RunOptions, 'validate'> => ({});
