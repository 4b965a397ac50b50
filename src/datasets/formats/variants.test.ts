import { describe, expect, it } from 'vitest';
import { readSource, sourceOf } from '../../../test/support/variant-source.ts';
import { maskFromDense, packMask } from '../../geometry/run-lengths.ts';

const percent = (x: number, y: number, width: number, height: number) => ({ x, y, width, height, rotation: 0 });
const fullSize = { original_width: 100, original_height: 50 };

/** Variants of formats: name, images, files, and the objects that they mean. */
const VARIANTS: readonly [
  name: string,
  format: string,
  images: readonly string[],
  files: Readonly<Record<string, unknown>>,
  objects: readonly string[],
][] = [
  [
    'YOLO with folders of another machine',
    'yolo',
    ['train/images/a.jpg', 'valid/images/b.jpg'],
    {
      'data.yaml': 'train: /content/drive/MyDrive/ds/train/images\nval: C:\\ds\\valid\\images\nnc: 1\nnames: [no]\n',
      'train/labels/a.txt': '0 0.5 0.5 0.2 0.2\n',
      'valid/labels/b.txt': '0 0.5 0.5 0.2 0.4\n',
    },
    ['train/images/a.jpg train no 40 20 20 10', 'valid/images/b.jpg val no 40 15 20 20'],
  ],
  [
    'YOLO with lists of images',
    'yolo',
    ['images/a.jpg', 'images/b.jpg'],
    {
      'data.yaml': 'path: ../datasets/ds\ntrain: train.txt\nval: val.txt\nnames:\n  0: dog\n',
      'train.txt': './images/a.jpg\r\n',
      'val.txt': '/home/user/ds/images/b.jpg\n',
      'labels/a.txt': '0 0.5 0.5 0.2 0.2 0.9\n',
      'labels/b.txt': '0 0 0 0.5 0 0.5 0.5\n',
    },
    ['images/a.jpg train dog 40 20 20 10', 'images/b.jpg val dog 0 0 50 25'],
  ],
  [
    'YOLO of labelImg, with the labels beside the images',
    'yolo',
    ['a.JPG', 'b.jpg'],
    { 'classes.txt': 'dog\ncat\n', 'a.txt': '1 0.5 0.5 0.2 0.2\n', 'b.txt': '' },
    ['a.JPG - cat 40 20 20 10'],
  ],
  [
    'YOLO without class names',
    'yolo',
    ['images/a.jpg'],
    { 'labels/a.txt': '3 0.5 0.5 0.2 0.2\n' },
    ['images/a.jpg - class 3 40 20 20 10'],
  ],
  [
    'YOLO with key points',
    'yolo',
    ['images/a.jpg'],
    {
      'data.yaml': 'train: images\nval: images\nkpt_shape: [2, 3]\nnames: [hand]\n',
      'labels/a.txt': '0 0.5 0.5 0.2 0.2 0.1 0.1 2 0.2 0.2 1\n',
    },
    ['images/a.jpg - hand 40 20 20 10'],
  ],
  [
    'CSV of Kaggle with lists and without class',
    'csv',
    ['train/abc.jpg'],
    { 'train.csv': 'image_id,width,height,bbox,source\nabc,100,50,"[10.0, 20.0, 30.0, 15.0]",usask\n' },
    ['train/abc.jpg train object 10 20 30 15'],
  ],
  [
    'CSV of Open Images',
    'csv',
    ['0001.jpg'],
    {
      'boxes.csv':
        'ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded\n0001,xclick,/m/0bt9lr,1,0.1,0.5,0.2,0.6,0\n',
      'class-descriptions-boxable.csv': '/m/0bt9lr,Dog\n/m/01yrx,Cat\n',
    },
    ['0001.jpg - Dog 10 10 40 20'],
  ],
  [
    'CSV of makesense.ai',
    'csv',
    ['a.jpg'],
    { 'labels.csv': 'dog,10,5,30,20,a.jpg,100,50\ncat,1,2,3,4,a.jpg,100,50\n' },
    ['a.jpg - cat 1 2 3 4', 'a.jpg - dog 10 5 30 20'],
  ],
  [
    'TSV with centers',
    'csv',
    ['a.jpg'],
    { 'labels.tsv': 'image\tlabel\tx_center\ty_center\twidth\theight\na.jpg\tdog\t50\t25\t20\t10\n' },
    ['a.jpg - dog 40 20 20 10'],
  ],
  [
    'CSV with corner and size',
    'csv',
    ['a.jpg'],
    {
      'labels.csv':
        '\uFEFFlabel_name;bbox_x;bbox_y;bbox_width;bbox_height;image_name;image_width;image_height\ndog;10;5;30;20;a.jpg;100;50\n',
    },
    ['a.jpg - dog 10 5 30 20'],
  ],
  [
    'VIA without a class',
    'via',
    ['train/a.jpg'],
    {
      'train/via_region_data.json': {
        'a.jpg1': {
          fileref: '',
          filename: 'a.jpg',
          regions: {
            0: {
              shape_attributes: { name: 'polygon', all_points_x: [1, 20, 20], all_points_y: [2, 2, 30] },
              region_attributes: {},
            },
          },
        },
      },
    },
    ['train/a.jpg train object 1 2 19 28'],
  ],
  [
    'VIA 3',
    'via',
    ['a.jpg'],
    {
      'project.json': {
        project: { pid: '1' },
        config: {},
        attribute: { 1: { aname: 'species', anchor_id: 'FILE1_Z0_XY1', type: 3, options: { 0: 'dog', 1: 'cat' } } },
        file: { 1: { fid: 1, fname: 'a.jpg', type: 2, loc: 1, src: 'a.jpg' } },
        metadata: { '1_x': { vid: '1', flg: 0, z: [], xy: [2, 10, 5, 30, 20], av: { 1: '1' } } },
        view: { 1: { fid_list: ['1'] } },
      },
    },
    ['a.jpg - cat 10 5 30 20'],
  ],
  [
    'VIA with checkboxes',
    'via',
    ['a.jpg'],
    {
      'via.json': {
        _via_img_metadata: {
          k: {
            filename: 'a.jpg',
            regions: [
              {
                shape_attributes: { name: 'circle', cx: 50, cy: 25, r: 10 },
                region_attributes: { quality: { good: true }, type: { dog: true, cat: false } },
              },
            ],
          },
        },
      },
    },
    ['a.jpg - dog 40 15 20 20'],
  ],
  [
    'Label Studio JSON-MIN',
    'labelstudio',
    ['images/a.jpg'],
    {
      'export.json': [
        {
          image: '/data/local-files/?d=images/a.jpg',
          id: 1,
          label: [{ ...percent(10, 20, 30, 40), ...fullSize, rectanglelabels: ['dog'] }],
        },
      ],
    },
    ['images/a.jpg - dog 10 10 30 20'],
  ],
  [
    'Label Studio with shapes and labels apart, several annotators and polygons',
    'labelstudio',
    ['a.jpg', 'b.jpg'],
    {
      'export.json': [
        {
          id: 1,
          data: { img: 's3://bucket/a.jpg' },
          annotations: [
            { result: [], was_cancelled: true, updated_at: '2026-03-01' },
            {
              updated_at: '2026-01-01',
              result: [
                { id: 'r', type: 'rectangle', value: percent(10, 20, 30, 40), ...fullSize },
                { id: 'r', type: 'labels', value: { ...percent(10, 20, 30, 40), labels: ['dog'] }, ...fullSize },
                { id: 'c', type: 'choices', value: { choices: ['good'] } },
                { type: 'relation', from_id: 'r', to_id: 'r' },
              ],
            },
          ],
        },
        {
          id: 2,
          data: { img: 'http://localhost:8080/data/upload/3/0123abcd-b.jpg' },
          annotations: [
            {
              result: [
                { id: 'p', type: 'polygonlabels', value: { points: [[0, 0], [50, 0], [50, 50]], polygonlabels: ['cat'] }, ...fullSize }, // prettier-ignore
                {
                  id: 'e',
                  type: 'ellipselabels',
                  value: { x: 50, y: 50, radiusX: 10, radiusY: 20, rotation: 0, ellipselabels: ['cat'] },
                  ...fullSize,
                },
                {
                  id: 'k',
                  type: 'keypointlabels',
                  value: { x: 50, y: 50, width: 1, keypointlabels: ['nose'] },
                  ...fullSize,
                },
              ],
            },
          ],
        },
      ],
    },
    ['a.jpg - dog 10 10 30 20', 'b.jpg - cat 0 0 50 25', 'b.jpg - cat 40 15 20 20'],
  ],
  [
    'CVAT with turned boxes, ellipses, masks and cuboids',
    'cvat',
    ['images/Train/a.jpg'],
    {
      'annotations.xml':
        '<annotations><image id="0" name="a.jpg" subset="Train" width="100" height="50"><tag label="day"></tag>' +
        '<box label="dog" xtl="40" ytl="20" xbr="60" ybr="30" rotation="90.0"></box><ellipse label="dog" cx="20" cy="20" rx="10" ry="5"></ellipse>' +
        '<mask label="dog" rle="1, 2" left="3" top="4" width="5" height="6"></mask><points label="nose" points="1,1"></points>' +
        '<cuboid label="box" xtl1="1" ytl1="2" xbl1="1" ybl1="9" xtr1="5" ytr1="2" xbr1="5" ybr1="9" xtl2="7" ytl2="3" xbl2="7" ybl2="8" xtr2="8" ytr2="3" xbr2="8" ybr2="8"></cuboid>' +
        '</image></annotations>',
    },
    [
      'images/Train/a.jpg train box 1 2 7 7',
      'images/Train/a.jpg train dog 10 15 20 10',
      'images/Train/a.jpg train dog 3 4 5 6',
      'images/Train/a.jpg train dog 45 15 10 20',
    ],
  ],
  [
    'LabelMe with circles, groups and a missing type',
    'labelme',
    ['a.jpg'],
    {
      'a.json': {
        imagePath: 'other.jpg',
        imageHeight: null,
        imageWidth: null,
        shapes: [
          { label: 'ball', points: [[50, 25], [60, 25]], shape_type: 'circle' }, // prettier-ignore
          { label: 'dog', points: [[0, 0], [5, 0], [5, 5]], shape_type: 'polygon', group_id: 1 }, // prettier-ignore
          { label: 'dog', points: [[10, 10], [20, 10], [20, 20]], shape_type: 'polygon', group_id: 1 }, // prettier-ignore
          { label: 'road', points: [[0, 0], [9, 9]], shape_type: 'line' }, // prettier-ignore
          { label: '__ignore__', points: [[0, 0], [9, 9]], shape_type: 'rectangle' }, // prettier-ignore
        ],
      },
    },
    ['a.jpg - ball 40 15 20 20', 'a.jpg - dog 0 0 20 20'],
  ],
  [
    'COCO with run lengths, panoptic segments, and corners for boxes',
    'coco',
    ['a.jpg', 'b.jpg', 'c.jpg'],
    {
      'rle.json': {
        images: [{ id: 1, file_name: 'a.jpg', width: 100, height: 50 }],
        categories: [{ id: 1, name: 'dog' }],
        annotations: [
          {
            image_id: 1,
            category_id: 1,
            segmentation: packMask(
              maskFromDense(
                Uint8Array.from({ length: 5000 }, (_, i) => Number(i % 100 < 20 && i < 1000)),
                50,
                100,
              ),
            ),
          },
        ],
      },
      'panoptic.json': {
        images: [{ id: 7, file_name: 'b.jpg' }],
        categories: [{ id: 1, name: 'dog' }],
        annotations: [
          { image_id: 7, file_name: 'b.png', segments_info: [{ id: 3, category_id: 1, bbox: [1, 2, 3, 4] }] },
        ],
      },
      'corners.json': {
        images: [{ id: 1, file_name: 'c.jpg', width: 100, height: 50 }],
        categories: [{ id: 1, name: 'dog' }],
        annotations: [{ image_id: 1, category_id: 1, bbox: [60, 20, 90, 45], area: 750 }],
      },
    },
    ['a.jpg - dog 0 0 20 10', 'b.jpg - dog 1 2 3 4', 'c.jpg - dog 60 20 30 25'],
  ],
  [
    'VOC of Roboflow, with files beside the images and pixels from 1',
    'voc',
    ['train/a_jpg.rf.1.jpg', 'valid/b_jpg.rf.2.jpg'],
    {
      'train/a_jpg.rf.1.xml':
        '<annotation><filename>a_jpg.rf.1.jpg</filename><object><name>dog</name><bndbox><xmin>1</xmin><xmax>100</xmax><ymin>1</ymin><ymax>50</ymax></bndbox></object></annotation>',
      'valid/b_jpg.rf.2.xml':
        '<annotation><filename>b.jpg</filename><object><name>dog</name><part><name>head</name><bndbox><xmin>1</xmin></bndbox></part><bndbox><xmin>11</xmin><ymin>21</ymin><xmax>20</xmax><ymax>30</ymax></bndbox></object></annotation>',
    },
    ['train/a_jpg.rf.1.jpg train dog 0 0 100 50', 'valid/b_jpg.rf.2.jpg val dog 10 20 10 10'],
  ],
  [
    'VOC of LabelMe and roLabelImg',
    'voc',
    ['a.jpg'],
    {
      'a.xml':
        '<annotation><size><width>0</width><height>0</height></size><object><name>dog</name><deleted>0</deleted><polygon><pt><x>1</x><y>2</y></pt><pt><x>9</x><y>2</y></pt><pt><x>9</x><y>7</y></pt></polygon></object>' +
        '<object><name>ship</name><type>robndbox</type><robndbox><cx>50</cx><cy>25</cy><w>20</w><h>10</h><angle>1.5707963</angle></robndbox></object></annotation>',
    },
    ['a.jpg - dog 1 2 8 5', 'a.jpg - ship 45 15 10 20'],
  ],
  [
    'ODVG with lists of boxes and phrases',
    'odvg',
    ['a.jpg'],
    {
      'train.jsonl': `${JSON.stringify({
        filename: 'a.jpg',
        height: 50,
        width: 100,
        grounding: { caption: 'two dogs and a cat', regions: [{ bbox: [[0, 0, 10, 10], [20, 0, 30, 10]], phrase: 'two dogs' }, { bbox: [40, 0, 50, 10], phrase: 'a cat', tokens_positive: [[13, 18]] }] }, // prettier-ignore
      })}\n`,
    },
    ['a.jpg train a cat 40 0 10 10', 'a.jpg train two dogs 0 0 10 10', 'a.jpg train two dogs 20 0 10 10'],
  ],
  [
    'sizes that the source states for a larger image',
    'csv',
    ['a.jpg'],
    { 'a.csv': 'filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,200,100,dog,20,20,60,40\n' },
    ['a.jpg - dog 10 10 20 10'],
  ],
];

describe('variants of formats', () => {
  it.each(VARIANTS)('%s', async (_, format, images, files, objects) => {
    const result = await readSource(await sourceOf(images, files));
    expect(result.objects).toEqual(objects);
    expect(result.format).toBe(format);
  });
});
