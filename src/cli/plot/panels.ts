import { MdetrError } from '../../errors.ts';
import { smoothed, thinned, type Curve, type RunCurves } from '../../train/run/run-curves.ts';
import type { Sheet, SheetLine, SheetPanel } from './curve-sheet.ts';

/** Options of `sheetOf`. */
export interface PanelOptions {
  /** Names of curves, or patterns with `*`. Default: all but the losses of inner decoder layers. */
  readonly terms?: readonly string[] | undefined;
  /** Weight of the previous value in the moving average, from 0 to below 1. */
  readonly smooth: number;
  readonly logScale: boolean;
  readonly xName: string;
}

/** Maximum points of a curve: about the pixels of a panel. */
const MAX_POINTS = 600;

/** Whether a name is a loss of an inner decoder layer. */
const isOfInnerLayer = (name: string): boolean => /^(loss|cardinality_error|accuracy).*_\d+$/.test(name);

const RATE_NAMES = ['lr', 'lr_backbone', 'text_encoder_lr'] as const;
const DASHES = { lr: 'solid', lr_backbone: 'dashed', text_encoder_lr: 'dotted' } as const;

const matcherOf = (patterns: readonly string[]): ((name: string) => boolean) => {
  const expressions = patterns.map(
    (pattern) => new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`),
  );
  return (name) => expressions.some((expression) => expression.test(name));
};

/**
 * The sheet of curves of some runs: losses and terms, validation metrics, learning rates, gradient norm, speed.
 *
 * @throws {MdetrError} if `terms` match no curve, naming the curves that exist
 */
export const sheetOf = (runs: readonly RunCurves[], options: PanelOptions): Sheet => {
  const names = namesApart(runs);
  const kindOf = new Map<string, Curve['kind']>();
  for (const { curves } of runs) for (const { name, kind } of curves.values()) kindOf.set(name, kind);
  const isAsked =
    options.terms === undefined ? (name: string): boolean => !isOfInnerLayer(name) : matcherOf(options.terms);
  const asked = [...kindOf.keys()].filter(isAsked);
  if (asked.length === 0)
    throw new MdetrError(
      kindOf.size === 0
        ? 'the log has no entries yet: wait for the first one (log_every)'
        : `--terms ${options.terms?.join(',') ?? ''}: no such curve; the curves are ${[...kindOf.keys()].join(', ')}`,
    );
  const ofKind = (kind: Curve['kind']): string[] => asked.filter((name) => kindOf.get(name) === kind);
  const panel = (title: string, curveNames: readonly string[], draw: DrawOptions): SheetPanel => ({
    title,
    scale: draw.logScale ? 'logarithmic' : 'linear',
    lines: runs.flatMap(({ curves }, run) =>
      curveNames.flatMap((name) => {
        const curve = curves.get(name);
        return curve === undefined ? [] : [lineOf(names[run]!, curve, draw)];
      }),
    ),
  });
  const smoothing = { smooth: options.smooth, logScale: options.logScale };
  const exact = { smooth: 0, logScale: false };
  const rates = ofKind('rate');
  const [first] = runs;
  return {
    xName: options.xName,
    runs: names,
    panels: [
      ...ofKind('loss').map((name) => panel('total loss', [name], smoothing)),
      ...ofKind('validation').map((name) => panel(name, [name], exact)),
      ...ofKind('term').map((name) => panel(name, [name], smoothing)),
      ...(rates.length === 0 ? [] : [panel(rateTitle(rates), rates, exact)]),
      ...ofKind('gradient').map((name) => panel('gradient norm', [name], smoothing)),
      ...ofKind('speed').map((name) => panel('images per second', [name], { ...exact, smooth: options.smooth })),
    ],
    marks:
      runs.length === 1 && first !== undefined && first.stages.length > 1
        ? first.stages.slice(1).map(({ name, firstStep }) => ({ at: firstStep, name }))
        : [],
  };
};

interface DrawOptions {
  readonly smooth: number;
  readonly logScale: boolean;
}

const lineOf = (run: string, { name, points }: Curve, { smooth }: DrawOptions): SheetLine => {
  const dash = RATE_NAMES.find((own) => own === name);
  return {
    run,
    points: thinned(smooth > 0 ? smoothed(points, smooth) : points, MAX_POINTS),
    behind: smooth > 0 ? thinned(points, MAX_POINTS) : undefined,
    dash: dash && DASHES[dash],
  };
};

const rateTitle = (names: readonly string[]): string =>
  names.length === 1 ? names[0]! : 'learning rates (dashed: backbone, dotted: text encoder)';

/** Names of the runs; equal ones are numbered. */
const namesApart = (runs: readonly RunCurves[]): readonly string[] =>
  runs.map(({ name }, index) => {
    const before = runs.slice(0, index).filter((run) => run.name === name).length;
    return before === 0 ? name : `${name} (${before + 1})`;
  });
