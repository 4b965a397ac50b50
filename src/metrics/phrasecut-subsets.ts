import { COCO_NOUNS } from '../text/lexicon/concepts.ts';
import { PHRASECUT_ATTRIBUTE_TYPES, PHRASECUT_STUFF } from './phrasecut-vocabulary.ts';

/** Subsets of PhraseCut, in the order of the official report. */
export const PHRASECUT_SUBSETS = [
  // Category, by frequency.
  'all',
  'c_coco',
  'c20',
  'c100',
  'c500',
  'c21-100',
  'c101-500',
  'c500+',
  // Number of instances: 1, 2 to 4, 5 and more.
  'i_single',
  'i_multi',
  'i_many',
  // Structure of the phrase.
  'p_name',
  'p_att',
  'p_att+',
  'p_rel',
  'p_rel+',
  'p_verbose',
  'p_attm',
  'p_relm',
  't_stuff',
  't_obj',
  // Fraction of the image: under 2 %, between, over 20 %.
  's_small',
  's_mid',
  's_large',
  // Attribute, by frequency.
  'a20',
  'a100',
  'a200',
  'a21-100',
  'a101-200',
  'a200+',
  // Type of attribute.
  'a_color',
  'a_shape',
  'a_material',
  'a_texture',
  'a_state',
  'a_adj',
  'a_noun',
  'a_loc',
  'a_count',
  'a_bad',
  'p_att_rel',
  // Whether the image is in COCO's train or val split too.
  'd_cocotv',
  'd_notcocotv',
] as const;
/** Name of a subset of the phrases. */
export type PhraseCutSubset = (typeof PHRASECUT_SUBSETS)[number];

/** Structure of a phrase, as in PhraseCut's `refer_*.json`. */
export interface PhraseStructure {
  /** Category. */
  readonly name: string;
  /** Attributes of the phrase. */
  readonly attributes: readonly string[];
  /** Relations to other objects. */
  readonly relation_descriptions: readonly unknown[];
  /** `name`, `attribute`, `relation` or `verbose`. */
  readonly type: string;
}

/** PhraseCut's `name_att_rel_count.json`: names with their counts, in descending order. */
export interface PhraseCutCounts {
  /** Categories with the number of their phrases. */
  readonly cat: readonly (readonly [name: string, count: number])[];
  /** Attributes with the number of their phrases. */
  readonly att: readonly (readonly [name: string, count: number])[];
}

/** Properties of a phrase that decide its subsets. */
export interface PhraseProperties {
  readonly structure: PhraseStructure;
  readonly instanceCount: number;
  /** Area of the target divided by the area of the image. */
  readonly relativeSize: number;
  /** COCO id of the image, if any; 0 counts as none. */
  readonly cocoId?: number | null | undefined;
}

/** Assigns phrases to subsets. */
export class PhraseCutSubsetRules {
  private readonly categoryRank: ReadonlyMap<string, number>;
  private readonly attributeRank: ReadonlyMap<string, number>;

  constructor(counts: PhraseCutCounts) {
    this.categoryRank = ranksOf(counts.cat);
    this.attributeRank = ranksOf(counts.att);
  }

  subsetsOf({ structure, instanceCount, relativeSize, cocoId }: PhraseProperties): ReadonlySet<PhraseCutSubset> {
    const { name, attributes, relation_descriptions: relations } = structure;
    const category = this.categoryRank.get(name) ?? Infinity;
    const attribute = Math.min(...attributes.map((word) => this.attributeRank.get(word) ?? Infinity));
    const conditions: readonly (readonly [PhraseCutSubset, boolean])[] = [
      ['all', true],
      ['c_coco', COCO_NOUNS.some((noun) => noun === name)],
      ['c20', category < 20],
      ['c100', category < 100],
      ['c500', category < 500],
      ['c21-100', category >= 20 && category < 100],
      ['c101-500', category >= 100 && category < 500],
      ['c500+', category >= 500],
      ['i_single', instanceCount === 1],
      ['i_multi', instanceCount > 1 && instanceCount < 5],
      ['i_many', instanceCount >= 5],
      ['p_name', structure.type === 'name'],
      ['p_att', attributes.length > 0],
      ['p_att+', structure.type === 'attribute'],
      ['p_rel', relations.length > 0],
      ['p_rel+', structure.type === 'relation'],
      ['p_verbose', structure.type === 'verbose'],
      ['p_attm', attributes.length > 1],
      ['p_relm', relations.length > 1],
      ['p_att_rel', attributes.length > 0 && relations.length > 0],
      ['t_stuff', PHRASECUT_STUFF.some((word) => name.includes(word))],
      ['t_obj', !PHRASECUT_STUFF.some((word) => name.includes(word))],
      ['s_small', relativeSize < 0.02],
      ['s_mid', relativeSize >= 0.02 && relativeSize <= 0.2],
      ['s_large', relativeSize > 0.2],
      ['a20', attribute < 20],
      ['a100', attribute < 100],
      ['a200', attribute < 200],
      ['a21-100', attribute >= 20 && attribute < 100],
      ['a101-200', attribute >= 100 && attribute < 200],
      ['a200+', attribute >= 200], // includes phrases without attributes
      ...(Object.keys(PHRASECUT_ATTRIBUTE_TYPES) as (keyof typeof PHRASECUT_ATTRIBUTE_TYPES)[]).map(
        (type): readonly [PhraseCutSubset, boolean] => [
          type,
          attributes.some((word) => (PHRASECUT_ATTRIBUTE_TYPES[type] as readonly string[]).includes(word)),
        ],
      ),
      ['d_cocotv', Boolean(cocoId)],
      ['d_notcocotv', !cocoId],
    ];
    return new Set(conditions.filter(([, holds]) => holds).map(([subset]) => subset));
  }
}

const ranksOf = (counts: readonly (readonly [name: string, count: number])[]): ReadonlyMap<string, number> => {
  const ranks = new Map<string, number>();
  counts.forEach(([name], rank) => {
    if (!ranks.has(name)) ranks.set(name, rank);
  });
  return ranks;
};
