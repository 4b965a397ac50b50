import { readVisualGenomeImages, type VisualGenomeImage } from '../combine/image-identity.ts';
import { type NewAnnotation, type NewImage, RowIds, writeAnnotations } from '../preparation/annotation-writer.ts';
import { BadRowError, BadRows } from '../source/bad-rows.ts';
import { checked } from '../source/checked.ts';
import { readImageList } from '../source/image-list.ts';
import { readJsonList } from '../source/json-entries.ts';
import { megabyteProgress } from '../preparation/megabyte-progress.ts';
import type { Preparation, SourceFile } from '../preparation/preparation.ts';
import { Remarks } from '../preparation/remarks.ts';
import { sourcePath } from '../source/source-files.ts';
import { mergeCaptions } from './merge-captions.ts';
import { captionOfRegion, type RegionCaption, regionGraphSchema } from './region-captions.ts';

const PAGE = 'https://homes.cs.washington.edu/~ranjay/visualgenome/api.html';

const regionGraphs: SourceFile = {
  path: 'region_graphs.json',
  kind: 'file',
  holds: 'regions with phrases, objects and synsets, 108,077 images',
  from: `${PAGE} (version 1.2)`,
  size: '3.4 GB',
};

const IMAGE_DATA: SourceFile = {
  path: 'image_data.json',
  kind: 'file',
  holds: 'sizes of the images',
  from: PAGE,
  size: '17 MB',
};

const FILE_NAME = 'final_vg_regions.json';

/** Preparation of Visual Genome (arXiv:1602.07332): region descriptions with the boxes of their objects. */
export const visualGenome: Preparation = {
  name: 'visual-genome',
  title: 'Visual Genome: descriptions of regions, with boxes for the objects they mention',
  about: `
final_vg_regions.json: the phrase of every region becomes a row with the boxes of the objects it mentions. The root phrase
(docs/data.md, "Root nouns") gets the boxes of objects whose words overlap it, or the region's box if there are none;
other objects get the words of their synset. An object is used only if it has exactly one synset, which occurs exactly
once in the phrase. Near-duplicate boxes of one phrase (IoU 0.7) are replaced by their mean; captions of an image that say
the same about the same objects are merged.

The report counts what is left out: phrases of fewer than three characters; phrases whose punctuation or spaces shift their
words, as in the official script; captions with no words other than "wall", "side", "building"; and regions without
objects that overlap a region with the same words and objects. Relationships and attributes are not used; objects.json,
attributes.json and relationships.json are not needed.

The file has all images of Visual Genome. Which of them are also in COCO, and which belong to a validation or test split
of another dataset, is resolved when captions are combined:
  mdetr data combine vg=final_vg_regions.json vg=final_gqa_train.json coco=final_refexp_train.json \\
    --vg-images image_data.json --coco-images instances_train2014.json --exclude coco=instances_val2014.json \\
    --exclude coco=refexp_unsafe_ids.txt --exclude vg=phrasecut_unsafe_ids.txt --exclude vg=gqa_unsafe_ids.txt \\
    --out final_mixed_train.json
Images are read one at a time. 5.4 million regions take about six minutes on one core.`,
  splits: ['train'],
  options: [{ name: 'exclude', value: 'file', description: 'ids of images to leave out, one per line' }],
  sources: () => [regionGraphs, IMAGE_DATA],
  outputs: () => [FILE_NAME],
  async run({ from, out, options, progress, onBadRow }) {
    const { rootOfPhrase } = await import('../../text/nouns/root-noun.ts');
    const graphsPath = sourcePath(from, regionGraphs);
    const imagesPath = sourcePath(from, IMAGE_DATA);
    const images = await readVisualGenomeImages(imagesPath);
    const excluded = options['exclude'] === undefined ? new Set<number>() : await readImageList(options['exclude']);
    const leftOut = new Remarks();
    const notes = new Remarks();
    const badRows = new BadRows(onBadRow, leftOut);
    const onProgress = megabyteProgress(`visual-genome, reading ${graphsPath}, MB`, progress);
    const file = await writeAnnotations(out, FILE_NAME, new RowIds(), async (writer) => {
      for (const { location, value } of readJsonList(graphsPath, { onProgress })) {
        await badRows.attemptWrite(async () => {
          const at = `${graphsPath}: ${location}`;
          const { image_id: imageId, regions } = checked(regionGraphSchema, value, at);
          if (excluded.has(imageId)) {
            leftOut.add('regions of excluded images', `image ${imageId}`, regions.length);
            return;
          }
          const image = images.get(String(imageId));
          if (image === undefined) throw new BadRowError(`${at}: ${imagesPath} has no image ${imageId}`);
          const captions = regions.flatMap((region): RegionCaption[] => {
            const caption = captionOfRegion(region, rootOfPhrase);
            if (typeof caption !== 'string') return [caption];
            leftOut.add(caption, `region ${region.region_id}`);
            return [];
          });
          const merged = mergeCaptions(captions);
          if (merged.length < captions.length)
            leftOut.add(
              'regions merged with others, or without content',
              `image ${imageId}`,
              captions.length - merged.length,
            );
          for (const caption of merged) {
            remarkOn(caption, image, notes);
            await writer.write(
              imageRow(caption, imageId, image),
              caption.boxes.map(boxRow),
              `${at}, region ${caption.regionId}`,
            );
          }
        });
      }
      return { categories: [] };
    });
    return { files: [file], leftOut: leftOut.list, notes: notes.list };
  },
};

const imageRow = (
  { regionId, caption, tokensNegative }: RegionCaption,
  imageId: number,
  { width, height }: VisualGenomeImage,
): NewImage => ({
  file_name: `${imageId}.jpg`,
  height,
  width,
  original_id: imageId,
  region_id: regionId,
  caption,
  tokens_negative: tokensNegative,
  data_source: 'vg',
  dataset_name: 'VG',
});

const boxRow = ({ bbox, spans }: RegionCaption['boxes'][number]): NewAnnotation => ({
  area: Math.fround(bbox[2] * bbox[3]),
  iscrowd: 0,
  category_id: 1,
  bbox,
  tokens_positive: spans,
});

const remarkOn = ({ regionId, boxes }: RegionCaption, { width, height }: VisualGenomeImage, notes: Remarks): void => {
  for (const {
    bbox: [x, y, w, h],
  } of boxes) {
    if (!(w > 0 && h > 0)) notes.add('boxes without area, which readers skip', `region ${regionId}`);
    else if (x < 0 || y < 0 || x + w > width || y + h > height)
      notes.add('boxes that extend beyond the image, which readers clip', `region ${regionId}`);
  }
};
