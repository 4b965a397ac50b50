import type { AnswerResult, DetectedObject, DetectionResult, ReferResult, ResultBase } from '../../results/types.ts';
import { formatTable } from './table.ts';

/** Results for people: a heading, and a table of boxes. */

const columns = [
  { title: 'score', align: 'right' },
  { title: 'x0', align: 'right' },
  { title: 'y0', align: 'right' },
  { title: 'x1', align: 'right' },
  { title: 'y1', align: 'right' },
  { title: 'phrases' },
] as const;

const rowOf = ({ box, score, spans }: DetectedObject): string[] => [
  score.toFixed(3),
  ...box.map((value) => value.toFixed(1)),
  spans.length === 0 ? '(no words)' : spans.map((span) => `${span.text} ${span.score.toFixed(2)}`).join(', '),
];

const boxTable = (detections: readonly DetectedObject[]): string => formatTable(columns, detections.map(rowOf), '  ');

const heading = ({ image, width, height, caption }: ResultBase): string =>
  `${image} (${width}×${height}): ${caption}\n`;

const noneAbove = ({ bestBelowThreshold, threshold }: ResultBase): string =>
  `  nothing found with a score above ${String(threshold)} (--threshold)` +
  (bestBelowThreshold === undefined ? '' : `; the best score is ${bestBelowThreshold.score.toFixed(3)}`) +
  '\n';

/** Phrases that the calibrated model does not see in the image: without a box, or with one that it doubts. */
const absentText = ({ phrases }: ResultBase): string => {
  const absent = phrases.filter(({ present }) => present === false);
  const line = (title: string, own: typeof absent): string =>
    own.length === 0 ? '' : `  ${title}: ${own.map(({ text, score }) => `${text} ${score.toFixed(2)}`).join(', ')}\n`;
  return (
    line(
      'uncertain',
      absent.filter(({ detections }) => detections.length > 0),
    ) +
    line(
      'not in the image',
      absent.filter(({ detections }) => detections.length === 0),
    )
  );
};

/** Formats a result of `detect` for people. */
export const detectionText = (result: DetectionResult): string =>
  heading(result) +
  (result.detections.length === 0 ? noneAbove(result) : boxTable(result.detections)) +
  absentText(result);

/** Formats a result of `refer` for people. */
export const referText = (result: ReferResult): string => {
  const { best, detections } = result;
  const others = detections.filter(({ query }) => query !== best?.query);
  return (
    heading(result) +
    (best === null ? noneAbove(result) : boxTable([best])) +
    (others.length === 0 ? '' : `  other candidates\n${boxTable(others)}`)
  );
};

/** Formats a result of `ask` for people. */
export const answerText = (result: AnswerResult): string => {
  const percent = (probability: number): string => `${(100 * probability).toFixed(1)} %`;
  const others = result.answers.slice(1).map(({ answer, probability }) => `${answer} ${percent(probability)}`);
  return (
    heading(result) +
    `  ${result.answer}  (${percent(result.probability)}${result.type === null ? '' : `, ${result.type} question`})\n` +
    (others.length === 0 ? '' : `  then: ${others.join(', ')}\n`) +
    (result.detections.length === 0 ? '' : `  looked at\n${boxTable(result.detections)}`)
  );
};
