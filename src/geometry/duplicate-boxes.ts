import { iouXyxy } from './box-overlap.ts';
import type { BoxXyxy } from './boxes.ts';

/**
 * Non-maximum suppression within groups: drops each item whose box overlaps that of a better one of the same group by more
 * than `iou`.
 *
 * @param items best first
 * @param groupOf boxes of different groups, such as labels, never suppress each other
 */
export const withoutDuplicates = <T extends { readonly box: BoxXyxy }>(
  items: readonly T[],
  iou: number,
  groupOf: (item: T) => string,
): T[] => {
  const kept = new Map<string, T[]>();
  return items.filter((item) => {
    const group = groupOf(item);
    const better = kept.get(group) ?? [];
    if (better.some(({ box }) => iouXyxy(box, 0, item.box, 0) > iou)) return false;
    better.push(item);
    kept.set(group, better);
    return true;
  });
};
