import type { CodePointSpan } from '../../text/spans/span.ts';
import type { TextOutputs } from '../../inference/text-outputs.ts';
import type { FlickrPrediction } from '../../metrics/predictions.ts';
import { rankBoxesByPhrase } from '../../postprocess/phrase-boxes.ts';
import { createPositiveMap } from '../../text/index.ts';
import type { PredictedBox } from '../row-evaluation.ts';

/** Boxes of all queries for each phrase (its spans in the caption), best first. */
export const rankedPhraseBoxes = (
  outputs: TextOutputs,
  index: number,
  phrases: readonly (readonly CodePointSpan[])[],
): FlickrPrediction['boxes'] => {
  const positiveMap = createPositiveMap(outputs.encoding(index), phrases);
  const ranked = rankBoxesByPhrase(outputs.detection(index), outputs.size(index), positiveMap);
  return ranked.map((boxes) => boxes.map(({ box }) => [...box] as [number, number, number, number]));
};

/** The best box of each phrase. */
export const bestBoxOfPhrases = ({ boxes }: FlickrPrediction): readonly PredictedBox[] =>
  boxes.flatMap(([best]) => (best === undefined ? [] : [{ box: best, score: 1 }]));
