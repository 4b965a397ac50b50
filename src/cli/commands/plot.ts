import { join } from 'node:path';
import { Command, Option } from 'commander';
import { writeAtomically } from '../../files/atomic-file.ts';
import { UsageError } from '../../errors.ts';
import { OutputRule } from '../../files/output-rule.ts';
import type { CurveAxis } from '../../train/run/run-curves.ts';
import { fractionBelowOne } from '../options/option-values.ts';
import { print } from '../output/print.ts';

interface PlotOptions {
  readonly out?: string;
  readonly overwrite?: boolean;
  readonly terms?: readonly string[];
  readonly smooth: number;
  readonly logScale?: boolean;
  readonly x: CurveAxis;
}

const names = (text: string): readonly string[] =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');

const EXAMPLES = `
Draws one panel per quantity: losses by term, validation metrics, learning rates, gradient norm, speed. Each run has a
color. A run is a folder written by mdetr train; its training stages are joined.

Examples
  mdetr plot runs/scenes
  mdetr plot runs/scenes --smooth 0.9 --log-scale --out curves.svg
  mdetr plot runs/a runs/b --x pairs --terms loss,loss_giou,'*accuracy*'`;

/** `mdetr plot`: draws the curves of training runs. */
export const plotCommand = (): Command =>
  new Command('plot')
    .description('Draw the curves of training runs as SVG.')
    .argument('<run...>', 'folders of runs')
    .option(
      '--out <file.svg>',
      "output file (default: curves.svg in the run's folder, or in the working folder for several runs)",
    )
    .option(
      '--terms <names>',
      'only these curves, separated by commas; * matches anything (default: all but the losses of inner decoder layers)',
      names,
    )
    .option(
      '--smooth <weight>',
      'weight of the moving average, from 0 to below 1; the original curve is drawn faintly',
      fractionBelowOne,
      0,
    )
    .option('--log-scale', 'draw losses on a logarithmic scale')
    .addOption(
      new Option('--x <what>', 'unit of the horizontal axis: steps or image-text pairs')
        .choices(['steps', 'pairs'])
        .default('steps'),
    )
    .option('--force, --overwrite', 'replace curves.svg if --out is not given')
    .addHelpText('after', EXAMPLES)
    .action(async (folders: readonly string[], options: PlotOptions) => {
      const out = options.out ?? (folders.length === 1 ? join(folders[0]!, 'curves.svg') : 'curves.svg');
      const rule = new OutputRule({
        inputs: folders.map((folder) => join(folder, 'log.jsonl')),
        overwrite: options.overwrite,
      });
      if (!out.endsWith('.svg')) throw new UsageError(`--out ${out}: curves are drawn as SVG; name a file.svg`);
      if (options.out === undefined) rule.derived(out, 'curves');
      else rule.named(out, `--out ${out}`);
      const { readRunCurves } = await import('../../train/run/run-curves.ts');
      const { sheetOf } = await import('../plot/panels.ts');
      const { drawSheet } = await import('../plot/curve-sheet.ts');
      const runs = await Promise.all(folders.map((folder) => readRunCurves(folder, options.x)));
      const sheet = sheetOf(runs, {
        terms: options.terms,
        smooth: options.smooth,
        logScale: options.logScale === true,
        xName: options.x === 'steps' ? 'steps' : 'image-text pairs',
      });
      await writeAtomically(out, (sink) => sink.write(new TextEncoder().encode(drawSheet(sheet))));
      print(`${out}: ${sheet.panels.length} curves of ${runs.length === 1 ? 'one run' : `${runs.length} runs`}\n`);
    });
