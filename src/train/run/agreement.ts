import { createHash } from 'node:crypto';
import { MdetrError } from '../../errors.ts';
import { packageVersion } from '../../files/package-folder.ts';
import { gatherStrings, type Communicator } from '../parallel/communicator.ts';
import type { RunData } from './run-data.ts';

/** Settings in which processes may differ without effect on the results. */
const OWN_SETTINGS = new Set(['num_workers', 'threads', 'output_dir']);

/**
 * Makes sure that all processes train the same: version, settings and data.
 *
 * @param config the complete config; every setting but `OWN_SETTINGS` is compared
 * @throws {MdetrError} in all processes, naming what differs and where
 */
export const agree = async (communicator: Communicator, config: object, data: RunData): Promise<void> => {
  if (communicator.size === 1) return;
  const facts: Record<string, unknown> = {
    'the version of mdetr': packageVersion(),
    'the number of rows': data.rows,
    'the number of steps': data.totalSteps,
  };
  for (const [key, value] of Object.entries(config)) if (!OWN_SETTINGS.has(key)) facts[`the setting ${key}`] = value;
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

const digestOf = (name: string, value: unknown): string =>
  createHash('sha256')
    .update(`${name}=${JSON.stringify(value)}`)
    .digest('hex')
    .slice(0, 12);
