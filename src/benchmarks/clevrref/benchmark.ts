import { expressionBenchmark } from '../refexp/expressions.ts';

/** Precision@k on CLEVR-Ref+, over expressions that refer to one object. Official counterpart: `ClevrRefEvaluator`. */
export const clevrRefBenchmark = expressionBenchmark({
  variant: 'clevrref',
  description: 'referring expressions of CLEVR-Ref+ with one referred object: Precision@k',
  metrics: [1, 5, 10].map((k) => ({
    id: `precision_at_${k}`,
    title: `clevrref_Precision@${k}`,
    description: `fraction of expressions with the referred box among the top ${k}`,
  })),
});
