/**
 * Makes the training file of photographs from labeled sources: one JSON line per image with its objects, captions and parts
 * (docs/photographs.md has the form of the sources). Composites (mosaics and crops) are drawn by rarity of their nouns; the
 * held-out images are chosen by a fixed seed and are part of no composite.
 *
 *     npx tsx scripts/photos/make-dataset.ts SOURCES OUTPUT [--composites 4000] [--held-out-coco 70] [--held-out-voc 26]
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { iouXyxy } from '../../src/geometry/box-overlap.ts';
import { VOC_NOUNS } from '../../src/text/lexicon/concepts.ts';
import { Lexicon } from '../../src/text/lexicon/lexicon.ts';
import { CumulativeWeights } from '../../src/random/cumulative-weights.ts';
import { Random } from '../../src/random/random.ts';
import { PHOTO_TIERS, type PhotoObject, type PhotoRow, type PhotoTier } from '../../src/datasets/photos/photo-row.ts';
import { groundCaption } from './ground-captions.ts';

const SEED = 20261126;
/** Files of the sources, in the order of their terms: the freest first. */
const SOURCES = ['caltech101', 'coco', 'voc', 'indoor', 'flickr8k'] as const;
/** COCO's license ids that allow commercial use and changes. */
const CLEAN_LICENSES = new Set([4, 5, 7, 8]);

interface LabeledBox {
  readonly category: string;
  readonly box: readonly [x: number, y: number, width: number, height: number];
  readonly score?: number;
  readonly iscrowd?: number;
  readonly difficult?: boolean | number;
}

interface SourceRow {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly license_id?: number;
  readonly noun?: string;
  readonly object?: { readonly box: LabeledBox['box']; readonly score: number } | null;
  readonly human: readonly LabeledBox[];
  readonly teacher: readonly LabeledBox[];
  readonly maybe: readonly LabeledBox[];
  readonly captions: readonly string[];
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    composites: { type: 'string', default: '4000' },
    'held-out-coco': { type: 'string', default: '70' },
    'held-out-voc': { type: 'string', default: '26' },
  },
});
const [sources, output] = positionals;
if (sources === undefined || output === undefined) throw new Error('usage: make-dataset.ts SOURCES OUTPUT');

const lexicon = Lexicon.fromSynonyms(
  JSON.parse(readFileSync(join(sources, 'words/synonyms.json'), 'utf8')) as Record<string, string[]>,
  JSON.parse(readFileSync(join(sources, 'words/plurals.json'), 'utf8')) as Record<string, string>,
);
const relative = ([x, y, w, h]: LabeledBox['box'], { width, height }: SourceRow): PhotoObject['box'] => [
  round(x / width),
  round(y / height),
  round((x + w) / width),
  round((y + h) / height),
];
const round = (value: number): number => Math.round(Math.min(1, Math.max(0, value)) * 1e4) / 1e4;

const areaOf = ([x0, y0, x1, y1]: PhotoObject['box']): number => (x1 - x0) * (y1 - y0);

/** Objects and ignored regions of a source's row. Human labels replace those of the detectors for the nouns they cover. */
const labelsOf = (row: SourceRow, source: string): Pick<PhotoRow, 'objects' | 'ignored'> => {
  const objects: PhotoObject[] = [];
  const ignored: PhotoObject[] = [];
  const covered = (noun: string): boolean =>
    row.human.length > 0 &&
    (source === 'coco' ||
      (source === 'voc' && VOC_NOUNS.includes(noun)) ||
      row.human.some(({ category }) => category === noun));
  for (const { category, box, iscrowd, difficult } of row.human)
    (iscrowd === 1 || Boolean(difficult) ? ignored : objects).push({
      noun: category,
      box: relative(box, row),
      weight: 1,
      human: true,
    });
  for (const { category, box, score = 0 } of [...row.teacher, ...row.maybe]) {
    const object = { noun: category, box: relative(box, row), weight: Math.min(1, (score - 0.1) / 0.6) };
    if (covered(category)) {
      // A detector's object that no human marked stays open where humans skip small or difficult things.
      if (source !== 'coco' && score >= 0.3 && !objects.some((other) => iouXyxy(other.box, 0, object.box, 0) > 0.5))
        ignored.push(object);
    } else if (score >= 0.4) objects.push(object);
    else ignored.push(object);
  }
  if (row.noun !== undefined && row.object != null && row.object.score >= 0.3) {
    const box = relative(row.object.box, row);
    const noun = row.noun;
    if (!objects.some((other) => other.noun === noun && iouXyxy(other.box, 0, box, 0) > 0.7))
      objects.push({ noun, box, weight: Math.min(1, row.object.score) });
  }
  return { objects, ignored };
};

const tierOf = (row: SourceRow, source: string): PhotoTier => {
  if (source === 'flickr8k') return 'all';
  return source === 'caltech101' || (source === 'coco' && CLEAN_LICENSES.has(row.license_id ?? 0))
    ? 'clean'
    : 'no-flickr8k';
};

const rows: PhotoRow[] = [];
for (const source of SOURCES) {
  const lines = readFileSync(join(sources, `${source}.jsonl`), 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  const heldCount =
    source === 'coco' ? Number(values['held-out-coco']) : source === 'voc' ? Number(values['held-out-voc']) : 0;
  const held = new Set(
    Random.of(SEED, 'held-out', source)
      .shuffled(lines.map((_, index) => index))
      .slice(0, heldCount),
  );
  lines.forEach((line, index) => {
    const row = JSON.parse(line) as SourceRow;
    const labels = labelsOf(row, source);
    rows.push({
      id: row.file,
      source,
      tier: tierOf(row, source),
      heldOut: held.has(index) ? true : undefined,
      parts: [{ file: row.file }],
      ...labels,
      folderNoun: row.noun,
      captions: row.captions.flatMap((caption) => groundCaption(caption, labels, lexicon) ?? []),
    });
  });
}

/** Rarity of the nouns of an image: the inverse of the frequency of its rarest noun, to the power .6. */
const frequency = new Map<string, number>();
for (const { objects, heldOut } of rows)
  if (heldOut !== true)
    for (const noun of new Set(objects.map((object) => object.noun)))
      frequency.set(noun, (frequency.get(noun) ?? 0) + 1);
const rarityOf = ({ objects }: PhotoRow): number =>
  Math.max(0.02, ...objects.map(({ noun, weight }) => weight * (1 / (frequency.get(noun) ?? 1)) ** 0.6));

const compose = (random: Random, pick: () => PhotoRow, index: number): PhotoRow => {
  const kind = random.pickWeighted(['mosaic', 'wide', 'tall', 'crop'] as const, [0.4, 0.15, 0.15, 0.3]);
  const [columns, lines] = kind === 'mosaic' ? [2, 2] : kind === 'wide' ? [2, 1] : kind === 'tall' ? [1, 2] : [1, 1];
  const objects: PhotoObject[] = [];
  const ignored: PhotoObject[] = [];
  const parts: PhotoRow['parts'][number][] = [];
  let tier = 0;
  for (let cell = 0; cell < columns * lines; cell++) {
    const row = pick();
    tier = Math.max(tier, PHOTO_TIERS.indexOf(row.tier));
    const isFlipped = random.chance(0.5);
    const crop: PhotoObject['box'] = kind === 'crop' ? cropAround(row, random) : [0, 0, 1, 1];
    const at: PhotoObject['box'] = [
      (cell % columns) / columns,
      Math.floor(cell / columns) / lines,
      ((cell % columns) + 1) / columns,
      (Math.floor(cell / columns) + 1) / lines,
    ];
    parts.push({ file: row.parts[0]!.file, crop, at, flipped: isFlipped ? true : undefined });
    for (const [list, target] of [
      [row.objects, objects],
      [row.ignored, ignored],
    ] as const)
      for (const object of list) {
        const placed = place(object.box, crop, at, isFlipped);
        if (placed === undefined) continue;
        (placed.visible < 0.6 ? ignored : target).push({ ...object, box: placed.box });
      }
  }
  return {
    id: `composite ${index}`,
    source: 'composite',
    tier: PHOTO_TIERS[tier]!,
    parts,
    objects,
    ignored,
    captions: [],
  };
};

/** A crop of 50 to 85 % of the sides around one of the objects. */
const cropAround = ({ objects }: PhotoRow, random: Random): PhotoObject['box'] => {
  const side = random.between(0.5, 0.85);
  const box = objects.length > 0 ? objects[random.below(objects.length)]!.box : ([0.25, 0.25, 0.75, 0.75] as const);
  const start = (low: number, high: number): number => {
    const center = (low + high) / 2 + random.between(-0.15, 0.15);
    return Math.min(1 - side, Math.max(0, center - side / 2));
  };
  const [x, y] = [start(box[0], box[2]), start(box[1], box[3])];
  return [round(x), round(y), round(x + side), round(y + side)];
};

const place = (
  box: PhotoObject['box'],
  crop: PhotoObject['box'],
  at: PhotoObject['box'],
  isFlipped: boolean,
): { readonly box: PhotoObject['box']; readonly visible: number } | undefined => {
  const cut = [
    Math.max(box[0], crop[0]),
    Math.max(box[1], crop[1]),
    Math.min(box[2], crop[2]),
    Math.min(box[3], crop[3]),
  ] as const;
  if (cut[2] - cut[0] <= 0.005 || cut[3] - cut[1] <= 0.005) return undefined;
  const within = (value: number, axis: 0 | 1): number => (value - crop[axis]) / (crop[axis + 2]! - crop[axis]);
  const [x0, x1] = [within(cut[0], 0), within(cut[2], 0)];
  const [left, right] = isFlipped ? [1 - x1, 1 - x0] : [x0, x1];
  const onto = (value: number, axis: 0 | 1): number => round(at[axis] + value * (at[axis + 2]! - at[axis]));
  return {
    box: [onto(left, 0), onto(within(cut[1], 1), 1), onto(right, 0), onto(within(cut[3], 1), 1)],
    visible: areaOf(cut) / Math.max(areaOf(box), 1e-6),
  };
};

const random = Random.of(SEED, 'composites');
const count = Number(values.composites);
const usable = rows.filter((row) => row.heldOut !== true && row.objects.length > 0);
const composites: PhotoRow[] = [];
// Two thirds are made without flickr8k, so that models trained without it have them too.
for (const [share, pool] of [
  [0.65, usable.filter(({ tier }) => tier !== 'all')],
  [0.35, usable],
] as const) {
  const weights = new CumulativeWeights(pool.map(rarityOf));
  const pick = (): PhotoRow => pool[weights.draw(random)]!;
  for (let k = 0; k < Math.round(count * share); k++) composites.push(compose(random, pick, composites.length));
}
const all = [
  ...rows.filter(({ heldOut }) => heldOut === true),
  ...rows.filter(({ tier, heldOut }) => tier !== 'all' && heldOut !== true),
  ...composites.filter(({ tier }) => tier !== 'all'),
  ...rows.filter(({ tier }) => tier === 'all'),
  ...composites.filter(({ tier }) => tier === 'all'),
];
mkdirSync(output, { recursive: true });
writeFileSync(
  join(output, 'photos.jsonl'),
  all.map((row) => `${JSON.stringify({ ...row, rarity: Number(rarityOf(row).toFixed(5)) })}\n`).join(''),
);
writeFileSync(join(output, 'lexicon.json'), JSON.stringify(lexicon.json));
const phrases = all.reduce((sum, { captions }) => sum + captions.reduce((n, { phrases }) => n + phrases.length, 0), 0);
console.log(
  `${all.length} images, ${composites.length} of them composites; ${all.filter(({ heldOut }) => heldOut).length} held out; ` +
    `${phrases} phrases of captions grounded`,
);
