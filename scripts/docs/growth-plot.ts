/**
 * Draws docs/images/growth.svg from docs/images/growth.json, which `npm run bench:growth -- --json docs/images/growth.json`
 * writes: time and memory over each axis, with logarithmic scales.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Measured {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly growthMb: number;
}
interface Axis {
  readonly title: string;
  readonly clock: string;
  readonly values: readonly number[];
  readonly ours: readonly Measured[];
  readonly pytorch: readonly Measured[];
}

const folder = join(import.meta.dirname, '../../docs/images');
const axes = Object.values(JSON.parse(readFileSync(join(folder, 'growth.json'), 'utf8')) as Record<string, Axis>);

const PANEL = { width: 200, height: 150, left: 52, top: 30, gap: 52 };
const SIDES = [
  { key: 'ours', color: '#1f6feb', name: 'mdetr' },
  { key: 'pytorch', color: '#d1242f', name: 'PyTorch' },
] as const;

/** Maps values to positions on a logarithmic scale. */
const scaleOf = (values: readonly number[], from: number, to: number): ((value: number) => number) => {
  const [low, high] = [Math.log(Math.min(...values)), Math.log(Math.max(...values))];
  const span = Math.max(1e-6, high - low);
  return (value) => from + ((Math.log(value) - low) / span) * (to - from);
};

const rounded = (value: number): string => (value >= 10 ? value.toFixed(0) : value.toPrecision(2));

const panel = (
  { title, values, ...axis }: Axis,
  quantity: string,
  pick: (measured: Measured) => number,
  column: number,
  row: number,
): string => {
  const [left, top] = [
    PANEL.left + column * (PANEL.width + PANEL.gap),
    PANEL.top + row * (PANEL.height + 2 * PANEL.gap),
  ];
  const lines = SIDES.map((side) => ({ ...side, ys: axis[side.key].map((point) => Math.max(1, pick(point))) }));
  const x = scaleOf(values, left, left + PANEL.width);
  const all = lines.flatMap(({ ys }) => ys);
  const y = scaleOf(all, top + PANEL.height, top);
  const drawn = lines.map(({ ys, color }) => {
    const points = ys.map((value, index) => [x(values[index]!).toFixed(1), y(value).toFixed(1)] as const);
    const dots = points.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="2.5" fill="${color}"/>`);
    return `<polyline fill="none" stroke="${color}" points="${points.map((pair) => pair.join()).join(' ')}"/>${dots.join('')}`;
  });
  const ticks = values.map(
    (value) => `<text x="${x(value).toFixed(1)}" y="${top + PANEL.height + 14}" text-anchor="middle">${value}</text>`,
  );
  const ends = [Math.min(...all), Math.max(...all)].map(
    (value) => `<text x="${left - 6}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${rounded(value)}</text>`,
  );
  return `<rect x="${left}" y="${top}" width="${PANEL.width}" height="${PANEL.height}" fill="none" stroke="#888" stroke-width="0.5"/>
<text x="${left}" y="${top - 8}" font-weight="bold">${title}: ${quantity}</text>
${ticks.join('')}${ends.join('')}
${drawn.join('\n')}`;
};

const width = PANEL.left + axes.length * (PANEL.width + PANEL.gap);
const height = PANEL.top + 2 * (PANEL.height + 2 * PANEL.gap);
const time =
  ({ clock }: Axis) =>
  (measured: Measured): number =>
    clock === 'wall time' ? measured.wallMs : measured.cpuMs;
const panels = axes.flatMap((axis, column) => [
  panel(axis, 'ms', time(axis), column, 0),
  panel(axis, 'MB', ({ growthMb }) => growthMb, column, 1),
]);
const legend = SIDES.map(
  ({ color, name }, index) => `<text x="${PANEL.left + 80 * index}" y="${height - 8}" fill="${color}">${name}</text>`,
);
writeFileSync(
  join(folder, 'growth.svg'),
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="10">
<rect width="100%" height="100%" fill="white"/>
${panels.join('\n')}
${legend.join('')}
</svg>
`,
);
