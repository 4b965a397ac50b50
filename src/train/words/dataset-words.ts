import { AnnotationIndex } from '../../data/annotation-index/annotation-index.ts';
import { SCENE_VOCABULARY, WIDE_SCENE_VOCABULARY } from '../../scenes/index.ts';
import { captionWords } from '../../text/index.ts';
import { wordsOfPhotoTexts } from '../../datasets/photos/photo-texts.ts';
import { readPhotoLexicon, readTrainingPhotos } from '../../datasets/photos/read-photos.ts';
import type { DataConfig, PhotoDataset } from '../config/data-settings.ts';
import type { SceneTextConfig } from '../config/run-settings.ts';
import { officialDatasets } from '../data/official-datasets.ts';

/** Maximum number of rows of a file that are read for their words. */
const MAX_ROWS = 200_000;

/** Words of the captions of an annotation file, in lower case. At most the first 200,000 rows are read. */
export const wordsOfFile = (annotations: string): ReadonlySet<string> => {
  const words = new Set<string>();
  const index = AnnotationIndex.open(annotations);
  try {
    for (let row = 0; row < Math.min(index.length, MAX_ROWS); row++) {
      const { caption } = index.image(row) as { readonly caption?: unknown };
      if (typeof caption === 'string') for (const word of captionWords(caption)) words.add(word);
    }
  } finally {
    index.close();
  }
  return words;
};

const wordsOfPhotos = ({ photos, tier }: PhotoDataset): ReadonlySet<string> =>
  wordsOfPhotoTexts(
    readTrainingPhotos(photos, tier).map(({ row }) => row),
    readPhotoLexicon(photos),
  );

/** Words of the captions of a config's training data, sorted. */
export const wordsOfTraining = (
  config: Pick<DataConfig & SceneTextConfig, 'datasets' | 'texts'> & Parameters<typeof officialDatasets>[0],
): readonly string[] => {
  const datasets = config.datasets.length > 0 ? config.datasets : officialDatasets(config, 'train');
  const words = new Set<string>();
  for (const dataset of datasets) {
    const own =
      'scenes' in dataset
        ? (config.texts.some(({ language }) => language === 'wide') ? WIDE_SCENE_VOCABULARY : SCENE_VOCABULARY).flatMap(
            captionWords,
          )
        : 'annotations' in dataset
          ? wordsOfFile(dataset.annotations)
          : wordsOfPhotos(dataset);
    for (const word of own) words.add(word);
  }
  return [...words].sort();
};
