import { UsageError } from '../../errors.ts';
import { MDETR } from '../../inference/node/mdetr.ts';
import type { FromPretrainedOptions } from '../../inference/node/load-options.ts';
import type { Calibration } from '../../model-folder/calibration.ts';
import { calibrationPathOf, writeCalibration } from '../../model-folder/node/write-calibration.ts';
import { findCalibrationSets } from './calibration-data.ts';
import { measureCalibration, type MeasureOptions } from './measure-calibration.ts';

/** Options of `calibrate`. */
export interface CalibrateOptions extends MeasureOptions {
  /** A model folder, an official `.pth`, a `.safetensors`, or the name of an embedded or pulled model. */
  readonly model: string;
  /** An annotation file, a folder of `mdetr data import` or `mdetr scenes`, or a training config. */
  readonly data: string;
  /** Image folders: `FOLDER`, or `SOURCE=FOLDER` for each `data_source`. By default those that the data name. */
  readonly images?: readonly string[] | undefined;
  /** Write the calibration into the model. Default true. */
  readonly write?: boolean | undefined;
  /** How the model is loaded. */
  readonly load?: FromPretrainedOptions | undefined;
}

/** A calibration, and the file that it was written to. */
export interface Calibrated {
  /** Measured threshold and presence. */
  readonly calibration: Calibration;
  /** Undefined if it was not written. */
  readonly path: string | undefined;
}

/**
 * Measures the threshold and the presence of a model on data that it was not trained on, and writes them into the model's
 * `config.json` under `calibration`; nothing else of the model changes. From then on `detect` has that threshold by default,
 * and results say of each phrase whether it is `present`. For a `.pth` the calibration is written beside it
 * (`NAME.calibration.json`).
 *
 * @throws {UsageError} if the model or the data are not given, and for writing into a model of the package
 * @throws {MdetrError} if the model or the data cannot be read, the data have no boxes, or the model finds none of them
 * @example
 * const { calibration } = await calibrate({ model: 'models/mine', data: 'imported' });
 */
export const calibrate = async ({
  model,
  data,
  images,
  write = true,
  load,
  ...options
}: CalibrateOptions): Promise<Calibrated> => {
  if (typeof model !== 'string' || typeof data !== 'string')
    throw new UsageError('calibrate: model and data must be strings');
  // Checked before the work.
  if (write) await calibrationPathOf(model);
  const sets = await findCalibrationSets(data, images);
  const loaded = await MDETR.fromPretrained(model, load);
  try {
    const calibration = await measureCalibration(loaded, sets, options);
    return { calibration, path: write ? await writeCalibration(model, calibration) : undefined };
  } finally {
    await loaded.dispose();
  }
};
