import { describe, expect, it } from 'vitest';
import type { Curve, RunCurves } from '../../train/run/run-curves.ts';
import { drawSheet, shortNumber } from './curve-sheet.ts';
import { sheetOf } from './panels.ts';

const run = (name: string, scale = 1): RunCurves => {
  const curve = (own: string, kind: Curve['kind']): [string, Curve] => [
    own,
    { name: own, kind, points: Array.from({ length: 20 }, (_, step) => [step, (scale * 10) / (step + 1)] as const) },
  ];
  return {
    name,
    steps: 20,
    stages: [{ name: 'first', firstStep: 0 }, { name: 'second', firstStep: 10 }], // prettier-ignore
    curves: new Map([
      curve('loss', 'loss'),
      curve('loss_ce', 'term'),
      curve('loss_ce_0', 'term'),
      curve('lr', 'rate'),
      curve('lr_backbone', 'rate'),
      curve('val/bbox_AP50', 'validation'),
      curve('grad_norm', 'gradient'),
      curve('images_per_s', 'speed'),
    ]),
  };
};
const options = { smooth: 0, logScale: false, xName: 'steps' };

describe('the curves of a run', () => {
  it('have a panel each, without the losses of inner decoder layers', () => {
    const { panels, marks } = sheetOf([run('a')], options);
    expect(panels.map(({ title }) => title)).toEqual([
      'total loss',
      'val/bbox_AP50',
      'loss_ce',
      'learning rates (dashed: backbone, dotted: text encoder)',
      'gradient norm',
      'images per second',
    ]);
    expect(panels[3]!.lines.map(({ dash }) => dash)).toEqual(['solid', 'dashed']);
    expect(marks).toEqual([{ at: 10, name: 'second' }]);
  });

  it('are chosen by name or pattern; an error names the curves that exist', () => {
    const titles = (terms: string[]): string[] =>
      sheetOf([run('a')], { ...options, terms }).panels.map(({ title }) => title);
    expect(titles(['loss_ce*'])).toEqual(['loss_ce', 'loss_ce_0']);
    expect(titles(['loss', 'lr'])).toEqual(['total loss', 'lr']);
    expect(() => titles(['loss.ce'])).toThrow(/--terms loss\.ce: no such curve; the curves are loss, loss_ce/);
  });

  it('of several runs share panels, and runs of one name are numbered', () => {
    const { panels, runs, marks } = sheetOf([run('a'), run('a', 2)], { ...options, smooth: 0.9 });
    expect(runs).toEqual(['a', 'a (2)']);
    expect(marks).toEqual([]);
    expect(panels[0]!.lines).toHaveLength(2);
    expect(panels[0]!.lines[0]!.behind).toHaveLength(20);
  });

  it('are drawn as one well-formed SVG, with titles, legend and stages', () => {
    const svg = drawSheet(sheetOf([run('a'), run('b & <c>', 2)], { ...options, smooth: 0.5 }));
    expect(svg).toMatch(/^<svg[^>]* width="1140" height="500"/);
    for (const text of ['total loss', 'val/bbox_AP50', 'gradient norm', 'b &amp; &lt;c&gt;', 'steps'])
      expect(svg).toContain(text);
    // Two runs, six panels, one of which has two curves and one of which is not smoothed: every line is a path.
    expect(svg.match(/<path[^>]*stroke="#(0072b2|d55e00)"/g)!.length).toBeGreaterThanOrEqual(2 * (4 * 2 + 2 + 1));
    expect(svg).not.toMatch(/NaN|undefined/);
    const single = drawSheet(sheetOf([run('a')], { ...options, logScale: true }));
    expect(single).toContain('>second<');
  });
});

describe('axis labels', () => {
  it.each([[0, '0'], [1250, '1250'], [12_500, '12.5k'], [3_400_000, '3.4M'], [0.031, '0.031'], [1e-5, '1e-5'], [-2, '-2']])('%d', (value, text) => expect(shortNumber(value)).toBe(text)); // prettier-ignore
});
