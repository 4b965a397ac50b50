import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { fingerprintOf } from '../../data/annotation-index/source-fingerprint.ts';
import { MdetrError } from '../../errors.ts';
import { packageVersion } from '../../files/package-folder.ts';
import { gatherStrings, type Communicator } from '../parallel/communicator.ts';
import type { RunData } from './run-data.ts';

/** Settings that may name a file of initial weights. */
const WEIGHT_FILES = ['load', 'frozen_weights', 'backbone_weights', 'text_encoder_weights'] as const;

/** Settings in which processes may differ without effect on the results. */
const OWN_SETTINGS = new Set(['num_workers', 'threads', 'output_dir']);

/**
 * Makes sure that all processes train the same: version, settings and data.
 *
 * @param config the complete config; every setting but `OWN_SETTINGS` is compared
 * @throws {MdetrError} in all processes, naming what differs and where
 */
export const agree = async (
  communicator: Communicator,
  config: Readonly<Record<string, unknown>>,
  data: RunData,
): Promise<void> => {
  if (communicator.size === 1) return;
  const facts: Record<string, unknown> = {
    'the version of mdetr': packageVersion(),
    'the number of rows': data.rows,
    'the number of steps': data.totalSteps,
  };
  for (const [key, value] of Object.entries(config)) if (!OWN_SETTINGS.has(key)) facts[`the setting ${key}`] = value;
  for (const file of filesOf(config, data)) {
    const { bytes, sample } = fingerprintOf(file);
    facts[`the contents of ${file}`] = [bytes, sample];
  }
  const names = Object.keys(facts).sort();
  const digests = await gatherStrings(communicator, names.map((name) => digestOf(name, facts[name])).join(' '));
  const all = digests.map((text) => text.split(' '));
  const [first] = all;
  const different = all.findIndex((own) => own.join() !== first!.join());
  if (different < 0) return;
  const what = names.filter((_, i) => all[different]![i] !== first![i]);
  // Processes with other keys have another number of digests: then they differ in version.
  const shown = all[different]!.length === first!.length ? what.slice(0, 3).join(', ') : 'the version of mdetr';
  throw new MdetrError(
    `the processes do not train the same: process ${different} differs from process 0 in ${shown}; start all with the same ` +
      'version, settings and data',
  );
};

/** Files of annotations and initial weights. */
const filesOf = (config: Readonly<Record<string, unknown>>, { datasets }: RunData): string[] => {
  const named = [
    ...datasets.map((dataset) => ('annotations' in dataset ? dataset.annotations : undefined)),
    ...WEIGHT_FILES.map((key) => config[key]),
  ];
  return [...new Set(named)].filter(
    (path): path is string => typeof path === 'string' && statSync(path, { throwIfNoEntry: false })?.isFile() === true,
  );
};

const digestOf = (name: string, value: unknown): string =>
  createHash('sha256')
    .update(`${name}=${JSON.stringify(value)}`)
    .digest('hex')
    .slice(0, 12);
