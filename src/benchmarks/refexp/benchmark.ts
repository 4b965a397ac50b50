import { expressionBenchmark } from './expressions.ts';

/** Precision@k on RefCOCO, RefCOCO+ and RefCOCOg. Official counterpart: `RefExpEvaluator`. */
export const refexpBenchmark = expressionBenchmark({
  variant: 'refexp',
  description: 'referring expressions (RefCOCO, RefCOCO+, RefCOCOg): Precision@k',
  metrics: [1, 5, 10].map((k) => ({
    id: `*/precision_at_${k}`,
    title: `*_Precision@${k}`,
    description: `fraction of a dataset's expressions with the referred box among the top ${k}`,
  })),
});
