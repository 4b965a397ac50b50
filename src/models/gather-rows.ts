import type { Dim, Tensor } from '../engine/graph/index.ts';
import { expand, gatherElements, unsqueeze } from '../engine/ops/index.ts';

/** Rows (B, K) of a table (B, N, F) by their indices, int64 → (B, K, F). */
export const gatherRows = (table: Tensor, indices: Tensor): Tensor => {
  const [batch, count] = indices.shape as [Dim, Dim];
  return gatherElements(table, expand(unsqueeze(indices, 2), [batch, count, table.shape[2]!]), 1);
};
