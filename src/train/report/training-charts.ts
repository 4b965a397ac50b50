import type { LineChart, Series } from '../../benchmarks/report/charts.ts';
import type { Curve, RunCurves } from '../run/run-curves.ts';

/** Charts of a training run for its report: the loss, and the metrics of validations that are fractions. */
export const trainingCharts = ({ curves, steps }: RunCurves): readonly LineChart[] => {
  const all = [...curves.values()];
  const ofKind = (kind: Curve['kind']): Curve[] =>
    all.filter((curve) => curve.kind === kind && curve.points.length > 1);
  const axes = { xLabel: 'step', xRange: [0, Math.max(1, steps)] as const };
  const losses = ofKind('loss').map((curve): Series => ({ name: curve.name, points: curve.points, isMain: true }));
  const highest = Math.max(0, ...losses.flatMap(({ points }) => points.map(([, value]) => value)));
  const validations = ofKind('validation')
    .filter(({ name, points }) => SHOWN_METRICS.test(name) && points.every(([, value]) => value >= -1 && value <= 1))
    .map(({ name, points }): Series => ({ name, points, isMain: /box_ap_50$/.test(name) }));
  return [
    ...(losses.length === 0
      ? []
      : [{ title: 'Training loss', ...axes, yLabel: 'loss', yRange: [0, highest] as const, series: losses }]),
    ...(validations.length === 0 ? [] : [{ title: 'Validation', ...axes, yLabel: 'value', series: validations }]),
  ];
};

/** Metrics that say most about a run; a chart has eight colors. */
const SHOWN_METRICS = /(^|\/)(box_ap|box_ap_50|phrase_recall_at_1|phrase_recall_at_5|recall_at_1|accuracy|mean)$/;
