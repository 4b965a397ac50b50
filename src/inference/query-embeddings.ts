import type { DetectedObject } from '../results/types.ts';
import type { ProgramOutputs } from './text-outputs.ts';

/** Detections with the embeddings of their queries, if the network gives them. */
export const withEmbeddings = (
  outputs: ProgramOutputs,
  index: number,
  found: readonly DetectedObject[],
): readonly DetectedObject[] => {
  const hs = outputs.output('hs', index); // (1, Q, D)
  if (hs === undefined) return found;
  const width = hs.shape[2]!;
  const values = hs.data as Float32Array;
  return found.map((detection) => ({
    ...detection,
    embedding: Array.from(values.subarray(detection.query * width, (detection.query + 1) * width)),
  }));
};
