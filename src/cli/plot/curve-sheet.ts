import { LineChart, type LineSeriesOption } from 'echarts/charts';
import {
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TitleComponent,
  type GridComponentOption,
  type LegendComponentOption,
  type TitleComponentOption,
} from 'echarts/components';
import { init, use, type ComposeOption } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

use([LineChart, GridComponent, TitleComponent, LegendComponent, MarkLineComponent, SVGRenderer]);

type Points = readonly (readonly [x: number, y: number])[];

/** A curve as it is drawn. */
export interface SheetLine {
  /** Lines of one name have one colour on the whole sheet. */
  readonly run: string;
  readonly points: Points;
  /** What the smoothed curve was made of, drawn faintly. */
  readonly behind?: Points;
  /** Tells curves of one run in one panel apart. */
  readonly dash?: 'solid' | 'dashed' | 'dotted';
}

/** One quantity, of one or several runs. */
export interface SheetPanel {
  readonly title: string;
  readonly lines: readonly SheetLine[];
  readonly scale: 'linear' | 'logarithmic';
}

export interface Sheet {
  readonly panels: readonly SheetPanel[];
  readonly runs: readonly string[];
  /** Where one stage ends and the next begins, when there is but one run. */
  readonly marks: readonly { readonly at: number; readonly name: string }[];
  readonly xName: string;
}

type Option = ComposeOption<LineSeriesOption | GridComponentOption | TitleComponentOption | LegendComponentOption>;

/** Wong's colours, which people of every kind of sight can tell apart (Nature Methods 8, 441). */
const colors = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000', '#999999'];
const panelWidth = 380;
const panelHeight = 230;
const headHeight = 40;
const margin = { left: 62, right: 20, top: 34, bottom: 34 };
const font = 'sans-serif';

/** Draws panels side by side, three in a row, as SVG. */
export const drawSheet = (sheet: Sheet): string => {
  const { panels, runs, xName } = sheet;
  const columns = Math.min(3, panels.length);
  const rows = Math.ceil(panels.length / columns);
  const [width, height] = [columns * panelWidth, headHeight + rows * panelHeight];
  const place = (index: number): { left: number; top: number } => ({
    left: (index % columns) * panelWidth,
    top: headHeight + Math.floor(index / columns) * panelHeight,
  });
  const option: Option = {
    animation: false,
    backgroundColor: '#ffffff',
    color: colors,
    textStyle: { fontFamily: font },
    legend: { show: runs.length > 1, top: 8, data: [...runs] },
    title: panels.map(({ title }, index) => {
      const { left, top } = place(index);
      return { text: title, left: left + margin.left - 6, top: top + 4, textStyle: { fontSize: 13, fontFamily: font } };
    }),
    grid: panels.map((_, index) => {
      const { left, top } = place(index);
      return {
        left: left + margin.left,
        top: top + margin.top,
        width: panelWidth - margin.left - margin.right,
        height: panelHeight - margin.top - margin.bottom,
      };
    }),
    xAxis: panels.map((_, index) => ({
      type: 'value',
      gridIndex: index,
      name: index === panels.length - 1 ? xName : '',
      nameLocation: 'middle',
      nameGap: 20,
      axisLabel: { formatter: shortNumber, fontSize: 10, hideOverlap: true },
      splitLine: { show: false },
    })),
    yAxis: panels.map(({ scale }, index) => ({
      type: scale === 'logarithmic' ? 'log' : 'value',
      gridIndex: index,
      scale: true,
      axisLabel: { formatter: shortNumber, fontSize: 10 },
      splitLine: { lineStyle: { color: '#eeeeee' } },
    })),
    series: panels.flatMap((panel, index) => seriesOf(panel, index, sheet)),
  };
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption(option);
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
};

const seriesOf = ({ lines, scale }: SheetPanel, index: number, { runs, marks }: Sheet): LineSeriesOption[] =>
  lines.flatMap(({ run, points, behind, dash = 'solid' }, position) => {
    const color = colors[runs.indexOf(run) % colors.length]!;
    const line = (data: Points, opacity: number, width: number): LineSeriesOption => ({
      type: 'line',
      name: run,
      xAxisIndex: index,
      yAxisIndex: index,
      // A logarithm knows no numbers from 0 down.
      data: (scale === 'logarithmic' ? data.filter(([, y]) => y > 0) : data).map(([x, y]) => [x, y]),
      showSymbol: data.length === 1,
      symbolSize: 4,
      lineStyle: { color, width, opacity, type: dash },
      itemStyle: { color },
    });
    const main = line(points, 1, 1.5);
    const isFirst = position === 0;
    return [
      ...(behind === undefined ? [] : [line(behind, 0.25, 1)]),
      isFirst && marks.length > 0 ? { ...main, markLine: marked(marks) } : main,
    ];
  });

const marked = (marks: Sheet['marks']): NonNullable<LineSeriesOption['markLine']> => ({
  silent: true,
  symbol: 'none',
  lineStyle: { color: '#999999', type: 'dotted', width: 1 },
  label: { formatter: '{b}', fontSize: 9, color: '#777777' },
  data: marks.map(({ at, name }) => ({ xAxis: at, name })),
});

/** Five characters at most: 1250, 12.5k, 0.031, 1e-5. */
export const shortNumber = (value: number): string => {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  return size < 1e-3 ? value.toExponential(0) : String(Number(value.toPrecision(3)));
};
