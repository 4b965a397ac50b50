import type { Benchmark } from './benchmark.ts';

/** Options that a benchmark needs, then those that it may be given, as the command line spells them. */
const optionsOf = ({
  annotations,
  groundTruth,
  predictions,
  submission,
  options,
}: Benchmark): { readonly needed: readonly string[]; readonly optional: readonly string[] } => {
  const files = annotations === undefined ? [] : ['--annotations FILE', '--images DIR'];
  const path = groundTruth?.isRequired === true ? '--ground-truth DIR' : '--ground-truth FILE';
  const isRequired = groundTruth?.isRequired === true;
  return {
    needed: isRequired ? [...files, path] : files,
    optional: [
      groundTruth === undefined || isRequired ? undefined : path,
      groundTruth?.splits === undefined ? undefined : '--subset <name>',
      ...Object.values(options).map(({ flag }) => flag),
      predictions === undefined ? undefined : '--save-predictions <file>',
      submission === undefined ? undefined : '--submission <file>',
    ].filter((option) => option !== undefined),
  };
};

/** Text of `mdetr evaluate --list`: each benchmark with its description and options. */
export const benchmarkList = (benchmarks: readonly Benchmark[]): string => {
  const indent = ' '.repeat(Math.max(...benchmarks.map(({ name }) => name.length)) + 2);
  return benchmarks
    .map((benchmark) => {
      const { needed, optional } = optionsOf(benchmark);
      const lines = [
        `${benchmark.name.padEnd(indent.length)}${benchmark.description}`,
        `${indent}needs ${needed.length === 0 ? 'no files' : needed.join(', ')}`,
        ...(benchmark.annotations === undefined ? [] : [`${indent}  annotations: ${benchmark.annotations}`]),
        ...(benchmark.groundTruth === undefined
          ? []
          : [`${indent}  ground truth: ${benchmark.groundTruth.fullDescription}`]),
        ...(optional.length === 0 ? [] : [`${indent}options ${optional.join(', ')}`]),
      ];
      return `${lines.join('\n')}\n`;
    })
    .join('\n');
};

/** Markdown tables of all benchmarks and of their metrics, for the docs. */
export const benchmarkTables = (benchmarks: readonly Benchmark[]): string => {
  const overview = benchmarks.map((benchmark) => {
    const { needed, optional } = optionsOf(benchmark);
    return [
      `\`${benchmark.name}\``,
      benchmark.description,
      needed.map(code).join(', ') || 'nothing',
      optional.map(code).join(', '),
      bestMetrics(benchmark),
    ];
  });
  const metrics = benchmarks.flatMap((benchmark) =>
    uniqueBy(benchmark.metrics, ({ title }) => title).map(({ id, title, description }, index) => [
      index === 0 ? `\`${benchmark.name}\`` : '',
      code(id),
      code(title),
      description,
    ]),
  );
  return [
    markdownTable(['benchmark', 'measures', 'needs', 'options', 'metric that selects the best model'], overview),
    '`*` stands for the name of a group. Logs of training contain the identifiers; the table and `--json` of\n`mdetr evaluate` contain the titles.\n',
    markdownTable(['benchmark', 'identifier', 'title', 'meaning'], metrics),
  ].join('\n');
};

const code = (text: string): string => `\`${text}\``;

/** Metrics that select the best model of a training run, by what is trained. */
const bestMetrics = ({ bestMetric, validation, annotations }: Benchmark): string => {
  const usual = bestMetric({ boxes: true, masksOnly: false });
  if (annotations !== undefined && validation === undefined) return 'not used in training';
  const masks = bestMetric({ boxes: true, masksOnly: true });
  const answers = bestMetric({ boxes: false, masksOnly: false });
  return [
    usual === undefined ? '`box_ap_50` of `coco`, as in the official code' : code(usual),
    ...(masks === undefined || masks === usual ? [] : [`${code(masks)} when only masks are trained`]),
    ...(answers === undefined || answers === usual ? [] : [`${code(answers)} without detection`]),
  ].join('; ');
};

const uniqueBy = <T>(items: readonly T[], keyOf: (item: T) => string): readonly T[] => [
  ...new Map(items.map((item) => [keyOf(item), item])).values(),
];

const markdownTable = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`)
    .join('');
