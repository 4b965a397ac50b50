import { MixedDataset } from '../../data/sampling/mixed-dataset.ts';
import type { DatasetConfig } from '../config/slices/datasets.ts';
import { AnnotationSource } from './annotation-source.ts';
import { labelerFor } from './answer-labels.ts';
import type { SampleSource } from './sample-source.ts';
import { PhotoSource } from './photos/photo-source.ts';
import { SceneSource } from './scene-source.ts';
import type { DataConfig, OfficialDataConfig } from '../config/data-settings.ts';
import type { AugmentationConfig, AuxiliaryConfig, SceneTextConfig } from '../config/run-settings.ts';
import type { LossConfig } from '../../losses/index.ts';

/** Opens the datasets of a run and concatenates them. */
export const openSources = (
  datasets: readonly DatasetConfig[],
  config: LossConfig & DataConfig & OfficialDataConfig & SceneTextConfig & AugmentationConfig & AuxiliaryConfig,
): MixedDataset<SampleSource> => {
  const labels = labelerFor(config, config.gqa_ann_path);
  return new MixedDataset(
    datasets.map((dataset, index) => ({
      name: dataset.name ?? `dataset ${index + 1}`,
      source:
        'scenes' in dataset
          ? new SceneSource(dataset.scenes, config, labels)
          : 'photos' in dataset
            ? new PhotoSource(dataset, config)
            : new AnnotationSource(dataset, config, labels),
    })),
  );
};
