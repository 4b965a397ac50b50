import type { Estimate } from './bootstrap.ts';
import { ERROR_KINDS, type ErrorKind } from './caption-errors.ts';
import { intervalBar, lineChart, SERIES_COLORS, type LineChart } from './charts.ts';
import { escapeHtml } from '../../files/html-text.ts';
import type { Results } from '../../metrics/results-table.ts';
import { SHOWN_CLASSES, sumOf, type ClassNumbers, type Confusion, type ReportNumbers } from './report-numbers.ts';
import { STYLE } from './report-style.ts';

/** An image of a case, and what is said about it. */
export interface CaseFigure {
  readonly caption: string;
  readonly image: string;
  readonly note: string;
  /** Images as data addresses: the ground truth, and the detections. */
  readonly expected: string;
  readonly found: string;
}

/** Content of a page. */
export interface ReportContent {
  readonly title: string;
  /** Facts about the run, such as the model and the data. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** Undefined if the benchmark has no captions with boxes. */
  readonly numbers: ReportNumbers | undefined;
  /** Metrics of the benchmark, as its command prints them. */
  readonly results: readonly Results[];
  readonly best: readonly CaseFigure[];
  readonly worst: readonly CaseFigure[];
  /** Charts of the training. */
  readonly charts: readonly LineChart[];
  readonly warnings: readonly string[];
  /** Further texts, such as the training config, by title. */
  readonly texts: readonly { readonly title: string; readonly text: string }[];
}

/** Beginning of the page's generator mark, by which a report is recognized. */
export const REPORT_MARK = '<meta name="generator" content="mdetr report';

/**
 * The page of a report: self-contained, without scripts. Its content policy allows no request at all; every text from files is
 * escaped.
 */
export const reportPage = (content: ReportContent, version: string): string => {
  const { title, facts, numbers, results, charts, warnings, texts } = content;
  const parts = [
    `<h1>${escapeHtml(title)}</h1>`,
    `<dl class="facts">${facts.map(([name, value]) => `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`).join('')}</dl>`,
    ...warnings.map((warning) => `<p class="warning">${escapeHtml(warning)}</p>`),
    ...(numbers === undefined ? [] : [metricsSection(numbers)]),
    resultsSection(results),
    ...(charts.length === 0
      ? []
      : [section('Training', `<div class="charts">${charts.map(lineChart).join('')}</div>`)]),
    ...(numbers === undefined
      ? []
      : [curvesSection(numbers), confusionSection(numbers.confusion), errorsSection(numbers)]),
    casesSection('Worst cases', 'Captions with the lowest F1, one for each image.', content.worst),
    casesSection('Right cases', 'Captions without an error, those with most objects.', content.best),
    ...texts.map(({ title: name, text }) =>
      section(name, `<details><summary>show</summary><pre>${escapeHtml(text)}</pre></details>`),
    ),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
${REPORT_MARK} ${escapeHtml(version)}">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${parts.filter((part) => part !== '').join('\n')}
</main>
</body>
</html>
`;
};

const section = (title: string, html: string, note = ''): string =>
  `<section><h2>${escapeHtml(title)}</h2>${note === '' ? '' : `<p class="note">${note}</p>`}${html}</section>`;

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  `<div class="scroll"><table><thead><tr>${head.map((cell) => `<th scope="col">${cell}</th>`).join('')}</tr></thead><tbody>${rows
    .map(
      ([first = '', ...rest]) =>
        `<tr><th scope="row">${first}</th>${rest.map((cell) => `<td>${cell}</td>`).join('')}</tr>`,
    )
    .join('')}</tbody></table></div>`;

const metricsSection = ({ metrics, images, captions, objects, absent, threshold, presence }: ReportNumbers): string => {
  const rows = metrics.map((metric) => [
    escapeHtml(metric.title),
    digits(metric.value),
    interval(metric),
    intervalBar(metric.value, metric.low, metric.high),
    `<small>${escapeHtml(metric.description)}</small>`,
  ]);
  const limits = `threshold ${threshold}${presence === undefined ? '' : `, presence ${presence}`}`;
  return section(
    'Metrics',
    table(['', 'value', '95 % interval', '', ''], rows),
    `${captions} captions of ${images} images, ${objects} objects, ${absent} phrases of absent objects; ${limits}. Intervals: bootstrap over images.`,
  );
};

const resultsSection = (results: readonly Results[]): string => {
  const shown = results.filter(({ metrics }) => Object.keys(metrics).length > 0);
  if (shown.length === 0) return '';
  const names = [...new Set(shown.flatMap(({ metrics }) => Object.keys(metrics)))];
  const rows = names.map((name) => [
    escapeHtml(name),
    ...shown.map(({ metrics }) => (metrics[name] === undefined ? '–' : digits(metrics[name], 4))),
  ]);
  return section(
    'Metrics of the benchmark',
    table(
      ['', ...shown.map(({ title, count }) => escapeHtml(count === undefined ? title : `${title} (${count})`))],
      rows,
    ),
  );
};

const curvesSection = ({ curves, classes }: ReportNumbers): string => {
  if (curves === undefined) return '';
  const withObjects = classes.filter(({ objects }) => objects > 0);
  const points = (precision: readonly number[]): [number, number][] =>
    precision.map((value, level) => [level / 100, value]);
  const axes = { xLabel: 'recall', yLabel: 'precision' };
  const own = withObjects.slice(0, SERIES_COLORS);
  const charts = [
    lineChart({
      title: 'Precision and recall of all phrases together',
      ...axes,
      series: [
        { name: 'IoU 0.5', points: points(curves.at50), isMain: true },
        { name: 'IoU 0.75', points: points(curves.at75) },
      ],
    }),
    lineChart({
      title: `Precision and recall by phrase, IoU 0.5${own.length < withObjects.length ? ` (the ${own.length} with most objects)` : ''}`,
      ...axes,
      series: own.map(({ name, curve }) => ({ name, points: points(curve!) })),
    }),
  ];
  const rows = withObjects.map(({ name, objects, ap50 }) => [
    escapeHtml(name),
    String(objects),
    digits(ap50!.value),
    interval(ap50!),
    intervalBar(ap50!.value, ap50!.low, ap50!.high),
  ]);
  const head = ['phrase', 'objects', 'AP50', '95 % interval', ''];
  const first = table(head, rows.slice(0, 2 * SHOWN_CLASSES));
  const more = rows.slice(2 * SHOWN_CLASSES);
  return section(
    'Precision and recall',
    `<div class="charts">${charts.join('')}</div><h3>Average precision by phrase</h3>${first}${
      more.length === 0 ? '' : `<details><summary>${more.length} more</summary>${table(head, more)}</details>`
    }`,
  );
};

const confusionSection = ({ rows, columns, counts }: Confusion): string => {
  const cells = rows.map((name, row) => {
    const total = counts[row]!.reduce((sum, count) => sum + count, 0);
    return [
      escapeHtml(name),
      ...columns.map((_, column) => {
        const count = counts[row]![column]!;
        if (row === rows.length - 1 && column === columns.length - 1) return '';
        const kind = row === column ? 'right' : 'wrong';
        const strength = total === 0 ? 0 : Math.ceil((4 * count) / total);
        return `<span class="cell ${count === 0 ? 'zero' : `${kind}${strength}`}">${count}</span>`;
      }),
    ];
  });
  return section(
    'Confusion',
    `<div class="confusion">${table(['object \\ phrase of its box', ...columns.map(escapeHtml)], cells)}</div>`,
    'Each row is what an object is, each column the phrase of the box on it. An image’s objects count over all its captions.',
  );
};

const ERROR_TITLES: Readonly<Record<ErrorKind, readonly [title: string, meaning: string]>> = {
  missed: ['missed', 'objects without a box'],
  twice: ['twice', 'further boxes of an object that has one'],
  place: ['wrong place', 'boxes of a phrase where none of its objects is'],
  phrase: ['wrong phrase', 'boxes of an object with the phrase of another'],
  absent: ['absent boxed', 'boxes of phrases that the image does not show'],
};

const errorsSection = ({ errors, classes, unjudged }: ReportNumbers): string => {
  const shown = classes.slice(0, SHOWN_CLASSES);
  const others = classes.slice(SHOWN_CLASSES);
  const row = (name: string, objects: number, own: ClassNumbers['errors']): string[] => [
    escapeHtml(name),
    String(objects),
    ...ERROR_KINDS.map((kind) => (own[kind] === 0 ? '<span class="zero">0</span>' : String(own[kind]))),
  ];
  const objectsOf = (some: readonly ClassNumbers[]): number => some.reduce((sum, { objects }) => sum + objects, 0);
  const rows = [
    row('all', objectsOf(classes), errors),
    ...shown.map(({ name, objects, errors: own }) => row(name, objects, own)),
    ...(others.length === 0
      ? []
      : [row(`${others.length} more`, objectsOf(others), sumOf(others.map(({ errors: own }) => own)))]),
  ];
  const kinds = ERROR_KINDS.map((kind) => `<b>${ERROR_TITLES[kind][0]}</b>: ${ERROR_TITLES[kind][1]}`).join(' · ');
  const left =
    unjudged === 0 ? '' : ` ${unjudged} boxes name words for which there is no ground truth; they count nowhere.`;
  return section(
    'Errors by kind',
    table(['phrase', 'objects', ...ERROR_KINDS.map((kind) => ERROR_TITLES[kind][0])], rows),
    `${kinds}.${left}`,
  );
};

const casesSection = (title: string, note: string, figures: readonly CaseFigure[]): string =>
  figures.length === 0
    ? ''
    : section(
        title,
        `<div class="cases">${figures
          .map(
            ({ caption, image, note: own, expected, found }) =>
              `<figure><div class="pair"><div><small>ground truth</small><img alt="ground truth: ${escapeHtml(caption)}" src="${expected}"></div>` +
              `<div><small>found</small><img alt="found: ${escapeHtml(caption)}" src="${found}"></div></div>` +
              `<figcaption><q>${escapeHtml(caption)}</q><br>${escapeHtml(own)}<small>${escapeHtml(image)}</small></figcaption></figure>`,
          )
          .join('')}</div>`,
        note,
      );

const digits = (value: number, count = 3): string => (Number.isFinite(value) ? value.toFixed(count) : '–');
const interval = ({ low, high }: Estimate): string => `${digits(low)} – ${digits(high)}`;
