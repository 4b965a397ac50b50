import { choiceOption } from '../benchmark-options.ts';

/** Option of benchmarks of average precision: treatment of objects whose annotation id is 0. */
export const ID_ZERO_OPTION = choiceOption(
  {
    flag: '--id-zero <how>',
    description: 'objects with annotation id 0: count (default), or missed, as in pycocotools and lvis',
  },
  ['count', 'missed'],
  'count',
);

/** Note for comparisons with pycocotools and lvis, if an object has the annotation id 0 and counts. */
export const idZeroWarnings = (
  annotations: readonly { readonly id?: unknown }[],
  idZero: 'count' | 'missed',
): readonly string[] =>
  idZero === 'count' && annotations.some(({ id }) => id === 0)
    ? ['the object with annotation id 0 counts as any other; pycocotools and lvis never find it (--id-zero missed)']
    : [];
