import type { MetricDefinition } from '../../metrics/metric-definition.ts';

/** Recall of phrases over all and by category of phrase. */
export const RECALL_METRICS: readonly MetricDefinition[] = [
  ...[1, 5, 10].map((k) => ({
    id: `recall_at_${k}`,
    title: `Recall@${k}_all`,
    description: `fraction of phrases with a correct box among the top ${k} (IoU 0.5)`,
  })),
  {
    id: 'recall_upper_bound',
    title: 'Upper_bound_all',
    description: 'fraction of phrases with a correct box among all queries',
  },
  ...[1, 5, 10].map((k) => ({
    id: `recall_at_${k}/*`,
    title: `Recall@${k}_*`,
    description: `the same for one category of phrases (people, clothing, …)`,
    isDetail: true,
  })),
  {
    id: 'recall_upper_bound/*',
    title: 'Upper_bound_*',
    description: 'the same for one category of phrases',
    isDetail: true,
  },
];
