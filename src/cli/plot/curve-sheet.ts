import { scaleLinear, scaleLog } from 'd3-scale';
import { line as lineGenerator } from 'd3-shape';

type Points = readonly (readonly [x: number, y: number])[];

/** A curve as it is drawn. */
export interface SheetLine {
  /** Lines with the same name have the same color on the whole sheet. */
  readonly run: string;
  readonly points: Points;
  /** Measured values of a smoothed curve, drawn faintly behind it. */
  readonly behind?: Points | undefined;
  /** Distinguishes curves of one run in one panel. */
  readonly dash?: 'solid' | 'dashed' | 'dotted' | undefined;
}

/** One quantity of one or several runs. */
export interface SheetPanel {
  readonly title: string;
  readonly lines: readonly SheetLine[];
  readonly scale: 'linear' | 'logarithmic';
}

export interface Sheet {
  readonly panels: readonly SheetPanel[];
  readonly runs: readonly string[];
  /** Steps at which a training stage begins, if there is only one run. */
  readonly marks: readonly { readonly at: number; readonly name: string }[];
  readonly xName: string;
}

/** Wong's palette, distinguishable with every kind of color vision (Nature Methods 8, 441). */
const COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000', '#999999'];
const PANEL_WIDTH = 380;
const PANEL_HEIGHT = 230;
const HEAD_HEIGHT = 40;
const MARGIN = { left: 62, right: 20, top: 34, bottom: 34 };
const PLOT_WIDTH = PANEL_WIDTH - MARGIN.left - MARGIN.right;
const PLOT_HEIGHT = PANEL_HEIGHT - MARGIN.top - MARGIN.bottom;
const DASH_ARRAYS = { solid: undefined, dashed: '6 4', dotted: '2 3' } as const;

type Attributes = Readonly<Record<string, string | number | undefined>>;

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const element = (name: string, attributes: Attributes, content = ''): string => {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escapeXml(String(value))}"`);
  return `<${name}${written.join('')}>${content}</${name}>`;
};

const textAt = (x: number, y: number, text: string, attributes: Attributes = {}): string =>
  element('text', { x, y, 'font-size': 10, fill: '#444444', ...attributes }, escapeXml(text));

const segment = (x1: number, y1: number, x2: number, y2: number, attributes: Attributes): string =>
  element('line', { x1, y1, x2, y2, ...attributes });

/** Draws panels in rows of three as one SVG document. */
export const drawSheet = (sheet: Sheet): string => {
  const { panels, runs } = sheet;
  const columns = Math.min(3, panels.length);
  const width = columns * PANEL_WIDTH;
  const height = HEAD_HEIGHT + Math.ceil(panels.length / columns) * PANEL_HEIGHT;
  const content = [
    element('rect', { width, height, fill: '#ffffff' }),
    runs.length > 1 ? legend(runs, width) : '',
    ...panels.map((panel, index) => {
      const x = (index % columns) * PANEL_WIDTH + MARGIN.left;
      const y = HEAD_HEIGHT + Math.floor(index / columns) * PANEL_HEIGHT + MARGIN.top;
      const isLast = index === panels.length - 1;
      return element('g', { transform: `translate(${x} ${y})` }, drawPanel(panel, sheet, isLast));
    }),
  ];
  return element(
    'svg',
    { xmlns: 'http://www.w3.org/2000/svg', width, height, 'font-family': 'sans-serif' },
    content.join('\n'),
  );
};

const legend = (runs: readonly string[], width: number): string => {
  const slot = width / runs.length;
  return runs
    .map((run, index) => {
      const x = index * slot + 20;
      const color = colorOf(index);
      return `${segment(x, 20, x + 20, 20, { stroke: color, 'stroke-width': 2 })}${textAt(x + 26, 24, run, { 'font-size': 12 })}`;
    })
    .join('');
};

const colorOf = (run: number): string => COLORS[run % COLORS.length]!;

const drawPanel = (panel: SheetPanel, { runs, marks, xName }: Sheet, isLast: boolean): string => {
  const isLog = panel.scale === 'logarithmic';
  // A logarithm has no values from 0 down.
  const drawable = (points: Points): Points => points.filter(([x, y]) => Number.isFinite(x + y) && (!isLog || y > 0));
  const all = panel.lines.flatMap(({ points, behind = [] }) => [...drawable(points), ...drawable(behind)]);
  const x = scaleLinear()
    .domain(extent(all.map(([value]) => value)))
    .range([0, PLOT_WIDTH]);
  const y = (isLog ? scaleLog() : scaleLinear())
    .domain(
      extent(
        all.map(([, value]) => value),
        isLog,
      ),
    )
    .range([PLOT_HEIGHT, 0]);
  y.nice();
  const pathOf = lineGenerator<readonly [number, number]>(
    ([value]) => round(x(value)),
    ([, value]) => round(y(value)),
  );
  const curve = (points: Points, color: string, opacity: number, dash?: string): string => {
    const [only] = points;
    return points.length === 1
      ? element('circle', { cx: round(x(only![0])), cy: round(y(only![1])), r: 2, fill: color })
      : element('path', {
          d: pathOf(points) ?? '',
          fill: 'none',
          stroke: color,
          'stroke-width': opacity < 1 ? 1 : 1.5,
          'stroke-opacity': opacity,
          'stroke-dasharray': dash,
        });
  };
  return [
    textAt(-6, -16, panel.title, { 'font-size': 13, 'font-weight': 'bold', fill: '#222222' }),
    ...yAxis(isLog ? y.ticks(4).filter(isPowerOfTen) : y.ticks(5), y),
    ...xAxis(x.ticks(5), x),
    isLast ? textAt(PLOT_WIDTH / 2, PLOT_HEIGHT + 30, xName, { 'text-anchor': 'middle' }) : '',
    ...marks.flatMap(({ at, name }) => [
      segment(round(x(at)), 0, round(x(at)), PLOT_HEIGHT, { stroke: '#999999', 'stroke-dasharray': '2 3' }),
      textAt(round(x(at)), -3, name, { 'font-size': 9, fill: '#777777', 'text-anchor': 'middle' }),
    ]),
    ...panel.lines.flatMap(({ run, points, behind, dash = 'solid' }) => {
      const color = colorOf(runs.indexOf(run));
      return [
        behind === undefined ? '' : curve(drawable(behind), color, 0.25),
        curve(drawable(points), color, 1, DASH_ARRAYS[dash]),
      ];
    }),
  ].join('');
};

type Scale = (value: number) => number;

const yAxis = (ticks: readonly number[], y: Scale): string[] =>
  ticks.flatMap((tick) => [
    segment(0, round(y(tick)), PLOT_WIDTH, round(y(tick)), { stroke: '#eeeeee' }),
    textAt(-6, round(y(tick)) + 3, shortNumber(tick), { 'text-anchor': 'end' }),
  ]);

const xAxis = (ticks: readonly number[], x: Scale): string[] => [
  segment(0, PLOT_HEIGHT, PLOT_WIDTH, PLOT_HEIGHT, { stroke: '#888888' }),
  ...ticks.map((tick) => textAt(round(x(tick)), PLOT_HEIGHT + 14, shortNumber(tick), { 'text-anchor': 'middle' })),
];

/** Smallest and largest value; widened if they are equal, since a scale needs an interval. */
const extent = (values: readonly number[], isLog = false): [number, number] => {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (low > high) return isLog ? [1, 10] : [0, 1];
  if (low < high) return [low, high];
  return isLog ? [low / 2, high * 2] : [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
};

const isPowerOfTen = (value: number): boolean => Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9;

/** Two decimals: a hundredth of a pixel. */
const round = (value: number): number => Math.round(value * 100) / 100;

/** A number in at most six characters: 1250, 12.5k, 0.031, 1.2e-5. */
export const shortNumber = (value: number): string => {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  return size < 1e-3 ? Number(value.toPrecision(2)).toExponential() : String(Number(value.toPrecision(3)));
};
