import { statedImageId } from '../../data/annotation-index/string-ids.ts';
import type { CocoRow } from '../../data/format/coco-format.ts';
import type { TextOutputs } from '../../inference/text-outputs.ts';
import type { RefexpPrediction } from '../../metrics/predictions.ts';
import { boxAt, postprocessBoxes } from '../../postprocess/scored-boxes.ts';

/** Boxes and scores of all queries of a row, in the order of the queries. */
export const scoredBoxes = (row: CocoRow, outputs: TextOutputs, index: number): RefexpPrediction => {
  const { boxes, scores, scoresRefexp } = postprocessBoxes(outputs.detection(index), outputs.size(index));
  return {
    image_id: statedImageId(row.image),
    scores: [...scores],
    boxes: Array.from(scores, (_, query) => [...boxAt(boxes, query)] as [number, number, number, number]),
    scores_refexp: scoresRefexp === undefined ? undefined : [...scoresRefexp],
  };
};
