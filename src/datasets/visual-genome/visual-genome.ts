import { MdetrError } from '../../errors.ts';
import { readVisualGenomeImages, type VisualGenomeImage } from '../combine/image-identity.ts';
import { type NewAnnotation, type NewImage, RowIds, writeAnnotations } from '../annotation-writer.ts';
import { checked } from '../checked.ts';
import { megabyteSteps } from '../coco-instances.ts';
import { readImageList } from '../image-list.ts';
import { readJsonList } from '../json-entries.ts';
import type { Preparation, SourceFile } from '../preparation.ts';
import { Remarks } from '../remarks.ts';
import { sourcePath } from '../source-files.ts';
import { mergeTexts } from './merge-texts.ts';
import { regionGraphSchema, type RegionText, textOfRegion } from './region-texts.ts';

const PAGE = 'https://homes.cs.washington.edu/~ranjay/visualgenome/api.html';

const regionGraphs: SourceFile = {
  path: 'region_graphs.json',
  kind: 'file',
  holds: 'regions with phrases, objects and synsets, 108,077 images',
  from: `${PAGE} (version 1.2)`,
  size: '3.4 GB',
};

const imageData: SourceFile = {
  path: 'image_data.json',
  kind: 'file',
  holds: 'sizes of the images',
  from: PAGE,
  size: '17 MB',
};

/** Visual Genome (arXiv:1602.07332): region descriptions with the boxes of their objects. */
export const visualGenome: Preparation = {
  name: 'visual-genome',
  title: 'Visual Genome: descriptions of regions, with the objects that they name',
  about: `
final_vg_regions.json: every region's phrase becomes a row with the boxes of the objects that it names. The root noun of
the phrase (found as docs/data.md, "Root nouns", tells) gets the boxes of objects whose words meet it, or the region's own
box where there are none; other objects get the words of their synset. An object counts only if it has exactly one
synset, found exactly once in the phrase. Near-duplicate boxes of one phrase (IoU 0.7) become their mean, texts of an image
that say the same of the same objects become one.

Left out, and counted in the report: phrases of less than three characters; phrases whose marks or spaces shift their
words, as officially; texts that say no more than "wall", "side", "building"; regions without objects where a text of the
same words has some there. Relationships and attributes are not used, nor are objects.json, attributes.json and
relationships.json: whatever of them is in a phrase is in the region graphs.

The rows are all of Visual Genome. Which of its images are COCO's, and which belong to a validation or test split of
another data set, is settled when texts are combined:
  mdetr data combine vg=final_vg_regions.json vg=final_gqa_train.json coco=final_refexp_train.json \\
    --vg-images image_data.json --coco-images instances_train2014.json --exclude coco=instances_val2014.json \\
    --exclude coco=refexp_unsafe_ids.txt --exclude vg=phrasecut_unsafe_ids.txt --exclude vg=gqa_unsafe_ids.txt \\
    --out final_mixed_train.json
Files are read one image at a time. 5.4 million regions take about six minutes of one core.`,
  splits: ['train'],
  options: [{ name: 'exclude', value: 'file', description: 'numbers of images to leave out already here, one a line' }],
  sources: () => [regionGraphs, imageData],
  async run({ from, out, options, progress }) {
    const { rootOfPhrase } = await import('../../text/nouns/root-noun.ts');
    const graphsPath = sourcePath(from, regionGraphs);
    const imagesPath = sourcePath(from, imageData);
    const images = await readVisualGenomeImages(imagesPath);
    const excluded = options['exclude'] === undefined ? new Set<number>() : await readImageList(options['exclude']);
    const leftOut = new Remarks();
    const notes = new Remarks();
    const onProgress = megabyteSteps(`visual-genome, reading ${graphsPath}, MB`, progress);
    const file = await writeAnnotations(out, 'final_vg_regions.json', new RowIds(), async (writer) => {
      for (const { place, value } of readJsonList(graphsPath, { onProgress })) {
        const at = `${graphsPath}: ${place}`;
        const { image_id: imageId, regions } = checked(regionGraphSchema, value, at);
        if (excluded.has(imageId)) {
          leftOut.add('regions of excluded images', `image ${imageId}`, regions.length);
          continue;
        }
        const image = images.get(String(imageId));
        if (image === undefined) throw new MdetrError(`${at}: ${imagesPath} has no image ${imageId}`);
        const texts = regions.flatMap((region): RegionText[] => {
          const text = textOfRegion(region, rootOfPhrase);
          if (typeof text !== 'string') return [text];
          leftOut.add(text, `region ${region.region_id}`);
          return [];
        });
        const merged = mergeTexts(texts);
        if (merged.length < texts.length)
          leftOut.add(
            'regions merged with others, or that say nothing',
            `image ${imageId}`,
            texts.length - merged.length,
          );
        for (const text of merged) {
          remarkOn(text, image, notes);
          await writer.write(imageRow(text, imageId, image), text.boxes.map(boxRow), `${at}, region ${text.regionId}`);
        }
      }
      return { categories: [] };
    });
    return { files: [file], leftOut: leftOut.list, notes: notes.list };
  },
};

const imageRow = (
  { regionId, caption, tokensNegative }: RegionText,
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

const boxRow = ({ bbox, spans }: RegionText['boxes'][number]): NewAnnotation => ({
  area: Math.fround(bbox[2] * bbox[3]),
  iscrowd: 0,
  category_id: 1,
  bbox,
  tokens_positive: spans,
});

const remarkOn = ({ regionId, boxes }: RegionText, { width, height }: VisualGenomeImage, notes: Remarks): void => {
  for (const {
    bbox: [x, y, w, h],
  } of boxes) {
    if (!(w > 0 && h > 0)) notes.add('boxes without area, which readers leave out', `region ${regionId}`);
    else if (x < 0 || y < 0 || x + w > width || y + h > height)
      notes.add('boxes that reach out of the image, which readers cut off', `region ${regionId}`);
  }
};
