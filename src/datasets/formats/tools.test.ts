import { describe, expect, it } from 'vitest';
import { readSource, sourceOf } from '../../../test/support/variant-source.ts';

const D = 'dog 10 10 40 20';
const image = (id: number | string, file_name: string) => ({ id, file_name, width: 100, height: 50 });
const dog = { id: 1, image_id: 1, category_id: 1, bbox: [10, 10, 40, 20] };
const categories = [{ id: 1, name: 'dog' }];
const cells = { x: 10, y: 20, width: 40, height: 40, rotation: 0, rectanglelabels: ['dog'] };
const region = { id: 'r', type: 'rectanglelabels', original_width: 100, original_height: 50, value: cells };
const lines = (...rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const mask = { counts: [510, 20, 30, 20, 30, 20, 4370], size: [50, 100] };
const cvatMask = { ...dog, segmentation: mask, bbox: [10, 10, 3, 20], iscrowd: 1, attributes: { occluded: false } };
const bndbox = '<bndbox><xmin>50.0</xmin><ymin>30.0</ymin><xmax>10.0</xmax><ymax>10.0</ymax></bndbox>';
const shape = { label: 'dog', group_id: null, description: '', flags: {}, mask: null };
const corners = [[10, 10], [50, 10], [50, 30], [10, 30]]; // prettier-ignore
const labelMe = (own: object) => ({ version: '5.4.1', flags: {}, shapes: [{ ...shape, ...own }], imagePath: 'a.jpg' });
const grounding = { caption: 'a brown dog runs', regions: [{ bbox: [10, 10, 50, 30], phrase: ['a brown dog'], tokens_positive: [[0, 11]] }] }; // prettier-ignore

/** Exports as tools write them today: name, images, files, and the objects that they mean. */
const EXPORTS: readonly [string, readonly string[], Readonly<Record<string, unknown>>, readonly string[]][] = [
  [
    'COCO of CVAT, whose brush masks are marked as crowds',
    ['images/a.jpg'],
    { 'annotations/instances_default.json': { images: [image(1, 'a.jpg')], annotations: [cvatMask], categories } },
    ['images/a.jpg - dog 10 10 3 20'],
  ],
  [
    'LVIS, which names images by address only',
    ['train2017/000000000139.jpg'],
    { 'lvis_v1_train.json': { images: [{ id: 1, coco_url: 'http://images.cocodataset.org/train2017/000000000139.jpg' }], annotations: [dog], categories } }, // prettier-ignore
    [`train2017/000000000139.jpg train ${D}`],
  ],
  [
    'COCO with file names without an ending',
    ['images/a.jpg'],
    { 'a.json': { images: [image(1, 'a')], annotations: [dog], categories } },
    [`images/a.jpg - ${D}`],
  ],
  [
    'COCO with class names in the annotations',
    ['a.jpg'],
    { 'a.json': { images: [image(1, 'a.jpg')], annotations: [{ image_id: 1, category_name: 'dog', bbox: dog.bbox }] } },
    [`a.jpg - ${D}`],
  ],
  [
    'YOLO of CVAT (Ultralytics)',
    ['images/train/a.jpg'],
    {
      'data.yaml': 'names:\n  0: dog\npath: .\ntrain: train.txt\n',
      'train.txt': 'data/images/train/a.jpg\n',
      'labels/train/a.txt': '0 0.300000 0.400000 0.400000 0.400000\n',
    },
    [`images/train/a.jpg train ${D}`],
  ],
  [
    'YOLO of Roboflow with oriented boxes',
    ['train/images/a_jpg.rf.1.jpg'],
    {
      'data.yaml': "train: ../train/images\nval: ../valid/images\n\nnc: 1\nnames: ['dog']\n\nroboflow:\n  version: 1\n",
      'train/labels/a_jpg.rf.1.txt': '0 0.1 0.2 0.5 0.2 0.5 0.6 0.1 0.6',
    },
    [`train/images/a_jpg.rf.1.jpg train ${D}`],
  ],
  [
    'YOLO with numbers for class names, a comment after a path, and class ids as floats',
    ['images/a.jpg'],
    {
      'dataset.yml': 'path: ../x # root\ntrain: images # 1 image\nval: images\ntest: # optional\nnames: [0, 1]\n',
      'labels/a.txt': '1.0\t0.3\t0.4\t4.0e-1\t0.4  \r\n\r\n',
    },
    ['images/a.jpg - 1 10 10 40 20'],
  ],
  [
    'VOC of VoTT, with lists for each class only',
    ['JPEGImages/a.jpg', 'JPEGImages/b.jpg'],
    {
      'Annotations/a.xml': `<annotation><object><name>dog</name>${bndbox}</object></annotation>`,
      'Annotations/b.xml': `<annotation><object><name>dog</name>${bndbox}</object></annotation>`,
      'ImageSets/Main/dog_train.txt': 'a.jpg 1\n',
      'ImageSets/Main/dog_val.txt': 'b.jpg 1\n',
    },
    [`JPEGImages/a.jpg train ${D}`, `JPEGImages/b.jpg val ${D}`],
  ],
  [
    'VOC with corners in another order, and a comment',
    ['a.jpg'],
    {
      'a.XML': `<?xml version='1.0'?><!-- x --><annotation><object><name> dog </name>${bndbox}</object></annotation>`,
    },
    [`a.jpg - ${D}`],
  ],
  [
    'X-AnyLabeling, with rectangles of four points',
    ['a.jpg'],
    { 'a.json': labelMe({ shape_type: 'rectangle', points: corners, kie_linking: [] }) },
    [`a.jpg - ${D}`],
  ],
  [
    'X-AnyLabeling, with turned boxes',
    ['images/a.jpg'],
    { 'json/a.json': { ...labelMe({ shape_type: 'rotation', direction: 0, points: corners }), imagePath: '..\\images\\a.jpg' } }, // prettier-ignore
    [`images/a.jpg - ${D}`],
  ],
  [
    'Label Studio with several images in a task',
    ['a.jpg', 'b.jpg'],
    {
      'p.json': [
        {
          data: { images: ['/data/upload/1/0123abcd-a.jpg', '/data/local-files/?d=x%5Cb.jpg'] },
          annotations: [
            { result: [{ ...region, item_index: 1 }, { ...region, id: 's', item_index: 0, value: { ...cells, x: 0 } }] }, // prettier-ignore
          ],
        },
      ],
    },
    ['a.jpg - dog 0 10 40 20', `b.jpg - ${D}`],
  ],
  [
    'VIA 3 as CSV',
    ['a.jpg'],
    {
      'p.csv':
        '# Exported using VGG Image Annotator\n# ATTRIBUTE = {"1":{"aname":"cls","anchor_id":"FILE1_Z0_XY1","type":3,"options":{"k":"dog"}}}\n' +
        '# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata\n' +
        '"1_a","[""a.jpg""]",0,"[]","[2,10,10,40,20]","{""1"":""k""}"\n',
    },
    [`a.jpg - ${D}`],
  ],
  [
    'MM-Grounding-DINO: JSON Lines that are called .json, with lists of phrases',
    ['a.jpg'],
    { 'flickr_train_vg.json': lines({ filename: 'a.jpg', height: 50, width: 100, grounding }) },
    ['a.jpg train a brown dog 10 10 40 20'],
  ],
  [
    'CSV of DeepForest with outlines',
    ['a.jpg'],
    { 'a.csv': 'image_path,label,geometry\na.jpg,dog,"POLYGON ((50 10, 50 30, 10 30, 10 10, 50 10))"\n' },
    [`a.jpg - ${D}`],
  ],
  [
    'CSV with class numbers, and a list of names',
    ['a.jpg'],
    { 'a.csv': 'filename,xmin,ymin,xmax,ymax,class_id\na.jpg,10,10,50,30,0\n', 'classes.txt': 'dog\n' },
    [`a.jpg - ${D}`],
  ],
  [
    'CSV of VinBigData, with rows for images without findings',
    ['a.jpg', 'b.jpg'],
    {
      'train.csv': 'image_id,class_name,class_id,x_min,y_min,x_max,y_max\na,dog,3,10,10,50,30\nb,No finding,14,,,,\n',
    },
    [`a.jpg train ${D}`],
  ],
];

/** Files of formats that are not imported, and what the message says. */
const FOREIGN: readonly [string, unknown, string][] = [
  ['export.zip', 'PK', 'is an archive; unpack it'],
  ['ann/a.jpg.json', { tags: [], size: { height: 50, width: 100 }, objects: [] }, 'has annotations of Supervisely'],
  ['a.json', [{ image: 'a.jpg', annotations: [{ label: 'dog', coordinates: { x: 1 } }] }], 'CreateML'],
  ['x-export.json', { name: 'x', tags: [], assets: {} }, 'is a JSON export of VoTT'],
  ['x.ndjson', lines({ type: 'dataset', task: 'detect', class_names: {} }), 'Ultralytics as NDJSON'],
  ['x.ndjson', lines({ data_row: { id: '1' } }), 'rows of Labelbox'],
  ['x.csv', 'annotation_id,image,label\n1,a.jpg,"[{""original_width"":100}]"\n', 'is a CSV export of Label Studio'],
  ['_classes.csv', 'filename, cat, dog\r\na.jpg, 0, 1\r\n', 'image classification'],
  ['labelTxt/a.txt', 'imagesource:x\n10.0 10.0 50.0 10.0 50.0 30.0 10.0 30.0 dog 0\n', 'labels of DOTA'],
  ['label_2/a.txt', 'Car 0.00 0 -1.57 10 10 50 30 1.5 1.6 3.5 1 2 3 0.1\n', 'labels of KITTI'],
];

describe('exports of tools', () => {
  it.each(EXPORTS)('%s', async (_name, images, files, objects) => {
    expect((await readSource(await sourceOf(images, files))).objects).toEqual(objects);
  });

  it('keeps the few crowds of official files', async () => {
    const annotations = [dog, { ...dog, id: 2, bbox: [0, 0, 9, 9], iscrowd: 1, segmentation: mask }];
    const source = await sourceOf(['a.jpg'], { 'a.json': { images: [image(1, 'a.jpg')], annotations, categories } });
    expect((await readSource(source)).notes).toEqual([]);
  });

  it('names the line of a broken outline', async () => {
    const files = { 'a.csv': 'image_path,label,geometry\na.jpg,dog,"POLYGON ((50 10, 50 x, 10 30))"\n' };
    await expect(readSource(await sourceOf(['a.jpg'], files))).rejects.toThrow('a.csv: line 2: the outline is');
  });

  it('names the line of a broken row of VIA 3', async () => {
    const head = '# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata\n';
    const files = { 'a.csv': `${head}"1","[""a.jpg""]",0,"[]","[2,10","{}"\n` };
    await expect(readSource(await sourceOf(['a.jpg'], files))).rejects.toThrow(
      'a.csv: line 2: spatial_coordinates is not JSON',
    );
  });

  it.each(FOREIGN)('names the format of %s %j and the way out', async (name, content, message) => {
    await expect(readSource(await sourceOf(['a.jpg'], { [name]: content }))).rejects.toThrow(message);
  });
});
