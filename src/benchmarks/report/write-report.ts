import { join } from 'node:path';
import type { RawImage } from '../../data/images/raw-image.ts';
import { resizeBilinear } from '../../data/transforms/resize.ts';
import { drawDetections } from '../../drawing/node/index.ts';
import type { DrawableDetection } from '../../drawing/phrases.ts';
import { MdetrError } from '../../errors.ts';
import { replaceFile } from '../../files/atomic-file.ts';
import { makeFolder } from '../../files/make-folder.ts';
import { OutputRule } from '../../files/output-rule.ts';
import { packageVersion } from '../../files/package-folder.ts';
import { ERROR_KINDS } from './caption-errors.ts';
import type { Inspection } from './inspection.ts';
import { REPORT_MARK, reportPage, type CaseFigure, type ReportContent } from './report-page.ts';
import { reportNumbers, type ReportNumbers } from './report-numbers.ts';
import { qualityOf, type ShownCase } from './shown-cases.ts';

/** Name of the page in the folder of a report. */
export const REPORT_FILE = 'index.html';
/** Longest side of the images that are drawn for a page, in pixels. */
const CASE_SIDE_PX = 480;

/** Content of a report besides what an inspection has gathered. */
export type ReportContext = Pick<ReportContent, 'title' | 'facts' | 'results'> &
  Partial<Pick<ReportContent, 'charts' | 'warnings' | 'texts'>>;

/**
 * Checks that a report can be written into a folder: an older one is replaced, another page is not.
 *
 * @param rule files of the call
 * @throws {UsageError} if the folder has an `index.html` of something else, or one that is an input or output of the call
 */
export const checkReportFolder = (folder: string, option: string, rule = new OutputRule()): void => {
  rule.renewed(join(folder, REPORT_FILE), option, 'report of mdetr', REPORT_MARK);
};

/**
 * Writes the page of an inspection to `index.html` in a folder.
 *
 * @returns path of the page, and its numbers; undefined if the evaluation had no captions with boxes
 * @throws {MdetrError} if it cannot be written
 */
export const writeReportPage = async (
  folder: string,
  inspection: Inspection,
  { charts = [], warnings = [], texts = [], ...context }: ReportContext,
): Promise<{ readonly path: string; readonly numbers: ReportNumbers | undefined }> => {
  const numbers = inspection.captions.length === 0 ? undefined : reportNumbers(inspection);
  const [best, worst] = [await figuresOf(inspection.cases.best), await figuresOf(inspection.cases.worst)];
  await makeFolder(folder);
  const path = join(folder, REPORT_FILE);
  const version = packageVersion();
  await replaceFile(
    path,
    reportPage(
      {
        ...context,
        facts: [...context.facts, ['mdetr', version]],
        numbers,
        charts,
        warnings,
        texts,
        best,
        worst,
      },
      version,
    ),
  );
  return { path, numbers };
};

const figuresOf = async (cases: readonly ShownCase[]): Promise<CaseFigure[]> => {
  const figures: CaseFigure[] = [];
  for (const shown of cases) {
    try {
      figures.push(await figureOf(shown));
    } catch (error) {
      // An image that has vanished since it was evaluated does not take the numbers with it.
      if (!(error instanceof MdetrError)) throw error;
    }
  }
  return figures;
};

const figureOf = async ({ image, caption, phrases, detections, judged, pixels }: ShownCase): Promise<CaseFigure> => {
  const { raw, factor } = reduced(await pixels());
  const scaled = (box: DrawableDetection['box']): DrawableDetection['box'] => [
    box[0] * factor,
    box[1] * factor,
    box[2] * factor,
    box[3] * factor,
  ];
  const draw = async (shown: readonly DrawableDetection[], note: string, scores: boolean): Promise<string> => {
    const content = { detections: shown, caption, note: shown.length === 0 ? note : undefined };
    const bytes = await drawDetections(raw, content, { format: 'webp', scores });
    return `data:image/webp;base64,${Buffer.from(bytes).toString('base64')}`;
  };
  const kinds = ERROR_KINDS.flatMap((kind) => {
    const count =
      kind === 'missed' ? judged.missed.length : judged.detections.filter(({ outcome }) => outcome === kind).length;
    return count === 0 ? [] : [`${count} ${ERROR_NOTES[kind]}`];
  });
  return {
    caption,
    image,
    note:
      kinds.length === 0
        ? `${judged.objects} of ${judged.objects} found`
        : `F1 ${qualityOf(judged).toFixed(2)}: ${kinds.join(', ')}`,
    expected: await draw(
      phrases.flatMap(({ boxes, spans }) => boxes.map((box) => ({ box: scaled(box), score: 1, spans }))),
      'Nothing to find.',
      false,
    ),
    found: await draw(
      detections.map(({ box, score, spans }) => ({ box: scaled(box), score, spans })),
      'Nothing found.',
      true,
    ),
  };
};

const ERROR_NOTES = {
  missed: 'missed',
  twice: 'twice',
  place: 'in a wrong place',
  phrase: 'with a wrong phrase',
  absent: 'absent but boxed',
} as const;

/** The image with its longest side at most `CASE_SIDE_PX`. */
const reduced = (raw: RawImage): { raw: RawImage; factor: number } => {
  const factor = Math.min(1, CASE_SIDE_PX / Math.max(raw.width, raw.height));
  if (factor === 1) return { raw, factor };
  const side = (length: number): number => Math.max(1, Math.round(length * factor));
  return { raw: resizeBilinear(raw, side(raw.width), side(raw.height)), factor };
};
