import type { Metrics } from './metrics.ts';

/**
 * A metric of a benchmark. `id` is stable and appears in logs and APIs; `title` is its row in the table of
 * `mdetr evaluate` and its key in `--json`. A `*` in both stands for the name of a group: a category, a subset, a type
 * of question.
 */
export interface MetricDefinition {
  /** e.g. `recall_at_1`, or `recall_at_1/*` for each group. */
  readonly id: string;
  /** e.g. `Recall@1_all`, or `Recall@1_*` for each group. */
  readonly title: string;
  readonly description: string;
  /** Reported by `mdetr evaluate` only, not by validation during training. */
  readonly isDetail?: boolean;
}

/** Definition of the metric with this title, and its identifier with the name of the group filled in. */
export const findMetric = (
  definitions: readonly MetricDefinition[],
  title: string,
): { readonly definition: MetricDefinition; readonly id: string } | undefined => {
  const exact = definitions.find((definition) => definition.title === title);
  if (exact !== undefined) return { definition: exact, id: exact.id };
  for (const definition of definitions) {
    const group = groupIn(definition.title, title);
    if (group !== undefined) return { definition, id: definition.id.replace('*', group.replaceAll(' ', '_')) };
  }
  return undefined;
};

/** Text that `*` of the pattern stands for in a title. */
const groupIn = (pattern: string, title: string): string | undefined => {
  const star = pattern.indexOf('*');
  if (star < 0) return undefined;
  const [before, after] = [pattern.slice(0, star), pattern.slice(star + 1)];
  const isMatch = title.startsWith(before) && title.endsWith(after) && title.length >= pattern.length;
  return isMatch ? title.slice(before.length, title.length - after.length) : undefined;
};

/**
 * Metrics by identifier instead of title, without details. A metric without a definition keeps its name.
 *
 * @param prefix stands before every identifier, for metrics of a second protocol over the same predictions
 */
export const metricsById = (definitions: readonly MetricDefinition[], metrics: Metrics, prefix = ''): Metrics => {
  const named: Record<string, number> = {};
  for (const [title, value] of Object.entries(metrics)) {
    const found = findMetric(definitions, title);
    if (found?.definition.isDetail !== true) named[`${prefix}${found?.id ?? title}`] = value;
  }
  return named;
};
