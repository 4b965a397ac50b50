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
