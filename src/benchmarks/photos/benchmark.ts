import { UsageError } from '../../errors.ts';
import { readPhotoRows } from '../../datasets/photos/read-photos.ts';
import type { MetricDefinition } from '../../metrics/metric-definition.ts';
import type { Benchmark } from '../benchmark.ts';
import { fractionOption, integerOption, settingsOf } from '../benchmark-options.ts';
import { evaluatePhotos } from './evaluate-photos.ts';

const options = {
  threshold: fractionOption(
    { flag: '--threshold <score>', description: 'minimum score of a detection (default: 0.7)' },
    0.7,
  ),
  seed: integerOption({ flag: '--seed <s>', description: 'seed of the absent nouns' }, 0, 900_000_001),
};

const DESCRIBED: readonly (readonly [id: string, title: string, description: string])[] = [
  ['noun_top_box', 'nouns', 'fraction of "the NOUN" whose best box has IoU 0.5 with one of the noun'],
  ['noun_top_box/*', 'nouns, * objects', 'the same where the largest object covers 1 % of the image or more, or less'],
  ['caption_phrases', 'phrases of captions', 'the same for phrases of captions by people'],
  [
    'expressions/*',
    'expressions, *',
    'fraction of template expressions among 2 to 4 objects of a noun whose best box is the right one, when it is one of them',
  ],
  ['present_nouns_boxed', 'present nouns boxed', 'fraction of present nouns with a detection'],
  ['absent_nouns_boxed', 'absent nouns boxed', 'fraction of absent nouns with a detection; lower is better'],
];

const METRICS: readonly MetricDefinition[] = [
  ...DESCRIBED.map(([id, title, description]) => ({ id, title, description })),
  { id: 'standard_error/*', title: 'standard error, *', description: 'standard error of the fraction', isDetail: true },
  { id: 'cases/*', title: 'cases, *', description: 'number of cases', isDetail: true },
];

/** Photographs with human boxes (docs/photographs.md): nouns, captions, expressions and absent nouns. */
export const photosBenchmark: Benchmark = {
  name: 'photos',
  description: 'nouns, phrases of captions, template expressions and absent nouns on held-out photographs',
  annotations: 'the `photos.jsonl` of a training set, whose held-out rows are measured',
  options,
  metrics: METRICS,
  bestMetric: () => 'noun_top_box',
  async evaluate({ model, annotations, images, settings, limit, inspector, signal, onProgress }) {
    if (model === undefined || annotations === undefined) throw new Error('internal: no model or file to evaluate');
    const [folder] = images;
    if (folder === undefined) throw new UsageError('--task photos needs --images DIR, the folder of the sources');
    const { threshold, seed } = settingsOf(options, settings);
    const rows = readPhotoRows(annotations, ({ heldOut }) => heldOut === true)
      .map(({ row }) => row)
      .slice(0, limit);
    const measured = await evaluatePhotos(model, {
      rows,
      images: folder,
      threshold,
      seed,
      inspector,
      signal,
      onProgress,
    });
    return [{ results: [{ title: 'held out', metrics: measured.results() }], warnings: [], worst: [] }];
  },
};
