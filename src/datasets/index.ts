import { clevr, clevrCogent, clevrHumans, clevrRef } from './clevr/clevr.ts';
import { coco } from './coco/coco.ts';
import { flickr30k } from './flickr30k/flickr30k.ts';
import { gqa } from './gqa/gqa.ts';
import { lvis } from './lvis/lvis.ts';
import { phrasecut } from './phrasecut/phrasecut.ts';
import type { Preparation } from './preparation/preparation.ts';
import { refcoco, refcocog, refcocoPlus, refexp } from './refexp/refexp.ts';
import { visualGenome } from './visual-genome/visual-genome.ts';

/** Every data set that can be prepared, in the order of `mdetr data prepare --list`. To add one: a file here, a line there. */
export const preparations: readonly Preparation[] = [
  flickr30k,
  refcoco,
  refcocoPlus,
  refcocog,
  refexp,
  visualGenome,
  gqa,
  coco,
  phrasecut,
  lvis,
  clevr,
  clevrCogent,
  clevrHumans,
  clevrRef,
];
