import { MdetrError } from '../errors.ts';
import { clevr, clevrCogent, clevrHumans, clevrRef } from './clevr/clevr.ts';
import { coco } from './coco/coco.ts';
import { flickr30k } from './flickr30k/flickr30k.ts';
import { gqa } from './gqa/gqa.ts';
import { lvis } from './lvis/lvis.ts';
import { phrasecut } from './phrasecut/phrasecut.ts';
import type { Preparation } from './preparation/preparation.ts';
import { refcoco, refcocog, refcocoPlus, refexp } from './refexp/refexp.ts';
import { visualGenome } from './visual-genome/visual-genome.ts';

/** All preparations, in the order of `mdetr data prepare --list`. To add one: a folder with the preparation, and a line here. */
const table: Preparation[] = [
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

/** All registered preparations, one per dataset. */
export const preparations = (): readonly Preparation[] => table;

/**
 * Registers the preparation of another dataset; returns a function that removes it.
 * @throws {MdetrError} if another preparation has the same name
 */
export const registerPreparation = (preparation: Preparation): (() => void) => {
  if (table.some(({ name }) => name === preparation.name))
    throw new MdetrError(`a preparation named "${preparation.name}" is registered already`);
  table.push(preparation);
  return () => {
    const index = table.indexOf(preparation);
    if (index >= 0) table.splice(index, 1);
  };
};
