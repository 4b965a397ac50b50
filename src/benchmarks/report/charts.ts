import { escapeHtml } from '../../files/html-text.ts';

/** A line of a chart. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Drawn wider. */
  readonly isMain?: boolean | undefined;
}

/** Content of a line chart. */
export interface LineChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Ends of the axes. Default: from 0 to 1. */
  readonly xRange?: readonly [number, number] | undefined;
  readonly yRange?: readonly [number, number] | undefined;
  readonly series: readonly Series[];
}

const [WIDTH, HEIGHT] = [520, 320];
const PLOT = { left: 52, right: WIDTH - 12, top: 12, bottom: HEIGHT - 40 };
/** Number of colors of the style sheet. */
export const SERIES_COLORS = 8;
const TICKS = 5;

/** An SVG line chart with its legend. Colors come from the page's style sheet, so that they suit a dark page too. */
export const lineChart = ({ title, xLabel, yLabel, xRange = [0, 1], yRange = [0, 1], series }: LineChart): string => {
  const x = scale(xRange, PLOT.left, PLOT.right);
  const y = scale(yRange, PLOT.bottom, PLOT.top);
  const ticks = ([from, to]: readonly [number, number]): number[] =>
    Array.from({ length: TICKS + 1 }, (_, i) => from + ((to - from) * i) / TICKS);
  const grid = [
    ...ticks(xRange).map(
      (value) =>
        `<line class="grid" x1="${px(x(value))}" x2="${px(x(value))}" y1="${PLOT.top}" y2="${PLOT.bottom}"/>` +
        `<text x="${px(x(value))}" y="${PLOT.bottom + 16}" text-anchor="middle">${numberText(value)}</text>`,
    ),
    ...ticks(yRange).map(
      (value) =>
        `<line class="grid" x1="${PLOT.left}" x2="${PLOT.right}" y1="${px(y(value))}" y2="${px(y(value))}"/>` +
        `<text x="${PLOT.left - 6}" y="${px(y(value) + 4)}" text-anchor="end">${numberText(value)}</text>`,
    ),
  ];
  const lines = series.map(({ name, points, isMain }, index) => {
    const path = points
      .filter(([, value]) => Number.isFinite(value))
      .map(([at, value], i) => `${i === 0 ? 'M' : 'L'}${px(x(at))} ${px(y(value))}`)
      .join('');
    const main = isMain === true ? ' main' : '';
    return `<path class="line c${index % SERIES_COLORS}${main}" d="${path}"><title>${escapeHtml(name)}</title></path>`;
  });
  const middle = (PLOT.top + PLOT.bottom) / 2;
  const legend = series.map(
    ({ name }, index) => `<li><span class="swatch c${index % SERIES_COLORS}"></span>${escapeHtml(name)}</li>`,
  );
  return (
    `<figure class="chart"><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(title)}">` +
    `${grid.join('')}${lines.join('')}` +
    `<text x="${(PLOT.left + PLOT.right) / 2}" y="${HEIGHT - 6}" text-anchor="middle">${escapeHtml(xLabel)}</text>` +
    `<text transform="translate(14 ${middle}) rotate(-90)" text-anchor="middle">${escapeHtml(yLabel)}</text>` +
    `</svg><figcaption>${escapeHtml(title)}<ul class="legend">${legend.join('')}</ul></figcaption></figure>`
  );
};

/** A bar from 0 to 1 with a whisker for the confidence interval. */
export const intervalBar = (value: number, low: number, high: number): string => {
  const at = (fraction: number): string => px(Math.max(0, Math.min(1, fraction)) * 160);
  return (
    `<svg class="bar" viewBox="0 0 160 14" role="presentation"><rect class="track" width="160" height="14"/>` +
    `<rect class="value" width="${at(value)}" height="14"/>` +
    `<path class="whisker" d="M${at(low)} 7H${at(high)}M${at(low)} 3V11M${at(high)} 3V11"/></svg>`
  );
};

const scale =
  ([from, to]: readonly [number, number], low: number, high: number) =>
  (value: number): number =>
    low + ((value - from) / (to === from ? 1 : to - from)) * (high - low);

const px = (value: number): string => String(Math.round(value * 10) / 10);

/** A number of an axis, with three significant digits. */
const numberText = (value: number): string => String(Number(value.toPrecision(3)));
