import { describe, expect, it } from 'vitest';
import { readSource, sourceOf } from '../../../test/support/variant-source.ts';

const utf16 = (text: string): Buffer => Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')]);
const image = (id: number, file_name: string) => ({ id, file_name, width: 100, height: 50 });
const dog = (image_id: number) => ({ image_id, category_id: 1, bbox: [10, 10, 40, 20] });
const categories = [{ id: 1, name: 'dog' }];
const voc = (object: string, head = '') =>
  `${head}<annotation><filename>a.jpg</filename><object><name>dog</name>${object}</object></annotation>`;
const bndbox = '<bndbox><xmin>10</xmin><ymin>10</ymin><xmax>50</xmax><ymax>30</ymax></bndbox>';
const track = (frame: number, outside: number) =>
  `<box frame="${frame}" outside="${outside}" occluded="0" xtl="10" ytl="10" xbr="50" ybr="30"/>`;

/** Habits of exporters: name, images, files, and the objects that they mean. */
const HABITS: readonly [string, readonly string[], Readonly<Record<string, unknown>>, readonly string[]][] = [
  [
    'COCO splits whose images have the same names',
    ['train2017/1.jpg', 'val2017/1.jpg'],
    {
      'annotations/instances_train2017.json': { images: [image(1, '1.jpg')], annotations: [dog(1)], categories },
      'annotations/instances_val2017.json': { images: [image(1, '1.jpg')], annotations: [dog(1)], categories },
    },
    ['train2017/1.jpg train dog 10 10 40 20', 'val2017/1.jpg val dog 10 10 40 20'],
  ],
  [
    'COCO for images that were converted',
    ['a.png'],
    { 'a.json': { images: [image(1, 'a.jpg')], annotations: [dog(1)], categories } },
    ['a.png - dog 10 10 40 20'],
  ],
  [
    'COCO without categories, and with the path of the image',
    ['a.jpg'],
    { 'a.json': { images: [{ id: 1, path: '/datasets/x/a.jpg', width: 100, height: 50 }], annotations: [dog(1)] } },
    ['a.jpg - class 1 10 10 40 20'],
  ],
  [
    'YOLO with the whole image name in the name of the label file',
    ['images/a.jpg'],
    { 'classes.txt': 'dog\n', 'labels/a.jpg.txt': '0 0.3 0.4 0.4 0.4' },
    ['images/a.jpg - dog 10 10 40 20'],
  ],
  [
    'VOC in Latin-1',
    ['a.jpg'],
    {
      'a.xml': Buffer.from(
        voc(bndbox, '<?xml version="1.0" encoding="ISO-8859-1"?>').replace('dog', 'fidèle'),
        'latin1',
      ),
    },
    ['a.jpg - fidèle 10 10 40 20'],
  ],
  [
    'VOC with a document type, and an outline for a box',
    ['a.jpg'],
    {
      'a.xml': voc(
        '<polygon><x1>10</x1><y1>10</y1><x2>50</x2><y2>10</y2><x3>50</x3><y3>30</y3></polygon>',
        '<?xml version="1.0"?>\n<!DOCTYPE annotation>\n',
      ),
    },
    ['a.jpg - dog 10 10 40 20'],
  ],
  [
    'CSV of a German Excel',
    ['a.jpg'],
    { 'a.csv': 'sep=;\r\nfilename;class;xmin;ymin;xmax;ymax\r\na.jpg;dog;10,0;10,0;50,0;30,0\r\n' },
    ['a.jpg - dog 10 10 40 20'],
  ],
  [
    'CSV with a comment before its header',
    ['a.jpg'],
    { 'a.csv': '# exported by x\nfilename,class,xmin,ymin,xmax,ymax\na.jpg,dog,10,10,50,30\n' },
    ['a.jpg - dog 10 10 40 20'],
  ],
  [
    'CSV with the index of pandas and no header',
    ['a.jpg', 'b.jpg'],
    { 'a.csv': '0,a.jpg,10,10,50,30,dog\n1,b.jpg,10,10,50,30,dog\n' },
    ['a.jpg - dog 10 10 40 20', 'b.jpg - dog 10 10 40 20'],
  ],
  [
    'CSV with class numbers beside class names',
    ['a.jpg'],
    { 'a.csv': 'image,xmin,ymin,xmax,ymax,confidence,class,name\na.jpg,10,10,50,30,0.9,0,dog\n' },
    ['a.jpg - dog 10 10 40 20'],
  ],
  [
    'CVAT tracks of a video whose frames are there',
    ['images/frame_000000.PNG', 'images/frame_000001.PNG', 'images/frame_000002.PNG'],
    {
      'annotations.xml': `<annotations><version>1.1</version><track id="0" label="dog">${track(0, 0)}${track(1, 1)}${track(2, 0)}</track></annotations>`,
    },
    ['images/frame_000000.PNG - dog 10 10 40 20', 'images/frame_000002.PNG - dog 10 10 40 20'],
  ],
  [
    'ODVG as a JSON list',
    ['a.jpg'],
    { 'a.json': [{ filename: 'a.jpg', detection: { instances: [{ bbox: [10, 10, 50, 30], category: 'dog' }] } }] },
    ['a.jpg - dog 10 10 40 20'],
  ],
];

describe('habits of exporters', () => {
  it.each(HABITS)('%s', async (_name, images, files, objects) => {
    expect((await readSource(await sourceOf(images, files))).objects).toEqual(objects);
  });

  it('names the line of a document type with declarations', async () => {
    const source = await sourceOf(['a.jpg'], { 'a.xml': voc(bndbox, '<!DOCTYPE a [<!ENTITY x "y">]>\n') });
    await expect(readSource(source)).rejects.toThrow('declares a document type');
  });

  it('names the line of a CSV after a preamble', async () => {
    const source = await sourceOf(['a.jpg'], {
      'a.csv': '# c\nfilename,class,xmin,ymin,xmax,ymax\na.jpg,dog,10,10,50,30\na.jpg,dog,x,10,50,30\n',
    });
    await expect(readSource(source)).rejects.toThrow('a.csv: line 4: value 3 is "x"');
  });

  it('names a frame that is no number', async () => {
    const xml = `<annotations><track id="0" label="dog">${track(0, 0).replace('"0"', '"x"')}</track></annotations>`;
    const source = await sourceOf(['frame_000000.PNG'], { 'annotations.xml': xml });
    await expect(readSource(source)).rejects.toThrow('frame is "x", not a number');
  });

  it('names the encoding that a text should have', async () => {
    const text = voc(bndbox, '<?xml version="1.0" encoding="Shift_JIS"?>');
    const source = await sourceOf(['a.jpg'], { 'a.xml': Buffer.concat([Buffer.from(text), Buffer.from([0x81])]) });
    await expect(readSource(source)).rejects.toThrow('a.xml: is not Shift_JIS text, against its declaration');
    const wide = await sourceOf(['a.jpg'], { 'a.xml': utf16(voc(bndbox)) });
    await expect(readSource(wide)).rejects.toThrow('a.xml: is UTF-16 text; save it as UTF-8');
  });
});
