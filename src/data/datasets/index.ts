import { flickr30k } from './flickr30k/flickr30k.ts';
import type { Preparation } from './preparation.ts';

/** Every data set that can be prepared, in the order of `mdetr data prepare --list`. To add one: a file here, a line there. */
export const preparations: readonly Preparation[] = [flickr30k];
