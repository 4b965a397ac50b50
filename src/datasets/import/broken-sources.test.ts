import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync, cpSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DRAWN_FORMATS, drawImages, drawnImages, writeFormat } from '../../../test/support/drawn-dataset.ts';
import { temporaryFolder } from '../../../test/support/run-preparation.ts';
import { MdetrError } from '../../errors.ts';
import { importDataset } from './import-dataset.ts';

const images = drawnImages(4);
let drawn: string;
beforeAll(async () => {
  drawn = mkdtempSync(join(tmpdir(), 'mdetr-broken-'));
  await drawImages(join(drawn, 'images'), images);
});
afterAll(() => rmSync(drawn, { recursive: true }));

type Damage = (text: string) => string | Uint8Array;

const bytes = (...head: readonly number[]): Uint8Array =>
  Uint8Array.from([...head, ...Array.from({ length: 60 }, (_, i) => (i * 37) % 256)]);

/** Damage that no file of annotations survives. */
const FOREIGN: Readonly<Record<string, Damage>> = {
  'an empty file': () => '',
  'blanks only': () => ' \n\t\n ',
  'a gzip archive': () => bytes(0x1f, 0x8b, 8, 0),
  'a zip archive': () => bytes(0x50, 0x4b, 3, 4),
  'a PDF': () => '%PDF-1.7\n%âãÏÓ\n',
  'a web page': () => '<!DOCTYPE html><html><body>Sign in</body></html>',
  'a Git LFS pointer': () => 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n',
  'UTF-16': (text) => Buffer.from(`\uFEFF${text}`, 'utf16le'),
  'bytes that are not UTF-8': (text) =>
    Buffer.concat([
      Buffer.from(text.slice(0, text.length >> 1)),
      Buffer.from([0xff, 0xfe, 0xc0]),
      Buffer.from(text.slice(text.length >> 1)),
    ]),
  'random bytes': () => bytes(0xde, 0xad, 0xbe, 0xef),
  'a JPEG': () => bytes(0xff, 0xd8, 0xff, 0xe0),
};

const cut =
  (fraction: number): Damage =>
  (text) =>
    text.slice(0, Math.floor(text.length * fraction));
const replaced =
  (from: string | RegExp, to: string): Damage =>
  (text) => {
    const changed = text.replace(from, to);
    if (changed === text) throw new Error(`the damage ${String(from)} changes nothing`);
    return changed;
  };

const JSON_DAMAGE: Readonly<Record<string, Damage>> = {
  'a file cut at a third': cut(0.33),
  'a file cut at the half': cut(0.5),
  'a file cut near the end': cut(0.97),
  'a comma too many': replaced(',', ',,'),
  'nesting without end': replaced(/\[/, '['.repeat(5000)),
};

const XML_DAMAGE: Readonly<Record<string, Damage>> = {
  'a file cut at the half': cut(0.5),
  'a file cut near the end': cut(0.97),
  'an entity': replaced(/apple|banana|Traffic_light/, '&name;'),
  'a document type with entities': (text) =>
    `<!DOCTYPE a [<!ENTITY b "${'b'.repeat(50)}">]>${text.replace(/<\?xml.*?\?>/, '')}`,
  'a tag that is not closed': replaced(/<\/(annotations?)>/, ''),
  'a stray end tag': replaced(/<\/(annotations?)>/, '</x></$1>'),
};

/** Formats with the file that is damaged, and damage that only they can have. */
const CASES: Readonly<Record<string, { file: string; damages: Readonly<Record<string, Damage>> }>> = {
  coco: {
    file: 'annotations/instances_default.json',
    damages: {
      ...JSON_DAMAGE,
      'a box of three numbers': replaced(/"bbox":\[\d+,/, '"bbox":['),
      'a box of words': replaced(/"bbox":\[\d+/, '"bbox":["left"'),
      'a box that is not finite': replaced(/"bbox":\[\d+/, '"bbox":[NaN'),
      'an unknown category': replaced(/"category_id":\d/, '"category_id":99'),
      'a file name that is a number': replaced(/"file_name":"[^"]*"/, '"file_name":7'),
      'images that are a number': replaced(/"images":\[/, '"images":7,"x":['),
      'an id twice': replaced('"id":"image-1"', '"id":"image-0"'),
      'a key twice': replaced('"images":', '"images":[],"images":'),
    },
  },
  voc: {
    file: 'Annotations/drawn 00.xml',
    damages: {
      ...XML_DAMAGE,
      'a box without xmax': replaced(/<xmax>\d+<\/xmax>/, ''),
      'a coordinate that is a word': replaced(/<xmin>\d+/, '<xmin>left'),
      'a coordinate that is empty': replaced(/<ymin>\d+/, '<ymin>'),
      'a coordinate that is not finite': replaced(/<ymax>\d+/, '<ymax>1e999'),
    },
  },
  yolo: {
    file: 'labels/drawn 00.txt',
    damages: {
      'a line of three values': () => '0 0.5 0.5',
      'a class that is a word': replaced(/^\d/, 'apple'),
      'a negative class': replaced(/^\d/, '-1'),
      'a class without name': replaced(/^\d/, '17'),
      'a fractional class': replaced(/^\d/, '0.5'),
      pixels: () => '0 96 64 20 20',
      'a comma as decimal point': replaced('.', ','),
      'commas between values': replaced(' ', ', '),
      'an outline of an odd number of values': () => '0 0.1 0.1 0.2 0.2 0.3 0.3 0.4',
      'not a number': () => '0 nan 0.5 0.1 0.1',
    },
  },
  'yolo description': {
    file: 'data.yaml',
    damages: {
      'an open bracket': replaced('names:', 'names: ['),
      'names that are a number': (text) => text.slice(0, text.indexOf('names:')) + 'names: 7\n',
      'a key twice': (text) => `${text}names: [a]\n`,
      'aliases that multiply': () =>
        `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
          .split('')
          .map(
            (key, i) =>
              `${key}: &${key} [${Array(9)
                .fill(`*${'abcdefgh'.charAt(i)}`)
                .join(',')}]`,
          )
          .join('\n')}\nnames: *i\ntrain: x\n`,
      'a class number that is a word': replaced('  0:', '  zero:'),
      'a missing name': replaced(/ {2}0:.*\n/, ''),
    },
  },
  labelme: {
    file: 'labels/drawn 00.json',
    damages: {
      ...JSON_DAMAGE,
      'a rectangle of one point': replaced(/"points":\[\[[^\]]*\],/, '"points":['),
      'a point of one number': replaced(/"points":\[\[\d+,/, '"points":[['),
      'a coordinate that is a word': replaced(/"points":\[\[\d+/, '"points":[["left"'),
      'an empty label': replaced(/"label":"[^"]*"/, '"label":""'),
      'shapes that are an object': replaced(/"shapes":\[/, '"shapes":{},"x":['),
    },
  },
  csv: {
    file: 'boxes.csv',
    damages: {
      'a coordinate that is a word': replaced(/;\d+\r\n/, ';right\r\n'),
      'a coordinate that is empty': replaced(/;\d+\r\n/, ';\r\n'),
      'a coordinate that is not finite': replaced(/;\d+\r\n/, ';1e999\r\n'),
      'a row without class': replaced(/;(apple|banana|Traffic_light);/, ';;'),
      'a row without image': replaced(/\r\ndrawn 00.png;/, '\r\n;'),
      'a quote that is not closed': replaced(/\r\ndrawn 00.png;/, '\r\n"drawn 00.png;'),
      'a column of the box that is missing': replaced(/;[^;\r]*\r\n/, '\r\n'),
      'rows of one value': (text) => text.replaceAll(';', ' '),
      'a header alone': (text) => text.split('\r\n')[0]!,
      'images that do not exist': (text) => text.replaceAll('drawn ', 'other '),
    },
  },
  via: {
    file: 'via_project.json',
    damages: {
      ...JSON_DAMAGE,
      'a shape that is unknown': replaced('"name":"rect"', '"name":"star"'),
      'a rectangle without x': replaced(/"x":\d+,/, ''),
      'a coordinate that is a word': replaced(/"x":\d+/, '"x":"left"'),
      'regions that are a number': replaced(/"regions":\[/, '"regions":7,"z":['),
    },
  },
  labelstudio: {
    file: 'project-1.json',
    damages: {
      ...JSON_DAMAGE,
      'a coordinate that is a word': replaced(/"width":[\d.]+,/, '"width":"wide",'),
      'a coordinate that is not finite': replaced(/"width":[\d.]+,/, '"width":NaN,'),
      'a value that is a number': replaced(/"value":\{/, '"value":7,"x":{'),
      'a task without image': replaced(/"data":\{[^}]*\}/, '"data":{}'),
      'results that are a number': replaced(/"result":\[/, '"result":7,"x":['),
    },
  },
  cvat: {
    file: 'annotations.xml',
    damages: {
      ...XML_DAMAGE,
      'a box without label': replaced(/ label="[^"]*"/, ''),
      'a box without a corner': replaced(/ xtl="[^"]*"/, ''),
      'a coordinate that is a word': replaced(/ xtl="[^"]*"/, ' xtl="left"'),
      'an image without name': replaced(/ name="[^"]*"/, ''),
      'tracks of a video': replaced(/<image /, '<track id="0" label="car"></track><image '),
    },
  },
  odvg: {
    file: 'annotations.jsonl',
    damages: {
      'a line that is cut': replaced(/\}\n/, '\n'),
      'a box of three numbers': replaced(/"bbox":\[\d+,/, '"bbox":['),
      'a box of words': replaced(/"bbox":\[\d+/, '"bbox":["left"'),
      'a box that is not finite': replaced(/"bbox":\[\d+/, '"bbox":[Infinity'),
      'a row without file name': (text) => text.replace(/\n\{"filename"/, '\n{"file"'),
      'a row that is a list': (text) => `${text}\n[1]\n`,
      'a caption that is a number': (text) =>
        `${text}\n{"filename":"drawn 00.png","grounding":{"caption":7,"regions":[]}}\n`,
      'a region without phrase': (text) =>
        `${text}\n{"filename":"drawn 00.png","grounding":{"caption":"a dog","regions":[{"bbox":[1,2,3,4]}]}}\n`,
      'a file name that is a number': replaced(/"filename":"[^"]*"/, '"filename":7'),
      'a row without boxes': (text) => `${text}\n{"filename":"drawn 00.png"}`,
    },
  },
  captions: {
    file: 'captions.json',
    damages: {
      ...JSON_DAMAGE,
      'a box of three numbers': replaced(/"box":\[\d+,/, '"box":['),
      'a box of words': replaced(/"box":\[\d+/, '"box":["left"'),
      'a box without phrase': replaced(/,"phrase":"[^"]*"/, ''),
      'an empty caption': replaced(/"caption":"[^"]*"/, '"caption":""'),
      'a negative index': replaced(/"phrase":/, '"index":-1,"phrase":'),
    },
  },
};

/** A source with one damaged file, in a folder that is removed after the test. */
const damagedSource = (format: string, file: string, damage: Damage): string => {
  const source = temporaryFolder();
  cpSync(join(drawn, 'images'), join(source, 'images'), { recursive: true });
  writeFormat(source, DRAWN_FORMATS[format]!(images));
  const path = join(source, file);
  writeFileSync(path, damage(readFileSync(path, 'utf8')));
  return source;
};

describe.each(Object.entries(CASES))('a broken source of %s', (name, { file, damages }) => {
  it.each(Object.keys({ ...FOREIGN, ...damages }))('is named on one line, and nothing is written: %s', async (kind) => {
    const damage = { ...FOREIGN, ...damages }[kind]!;
    // An empty label file is an image without objects.
    if (name === 'yolo' && /empty|blanks/.test(kind)) return;
    const source = damagedSource(name.split(' ')[0]!, file, damage);
    const out = join(temporaryFolder(), 'dataset');
    const error: unknown = await importDataset({ source, out }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(MdetrError);
    const { message } = error as MdetrError;
    expect(message).toContain(basename(file));
    expect(message.split('\n')).toHaveLength(1);
    expect(message.length).toBeLessThan(1000);
    expect(existsSync(out)).toBe(false);
  });
});

/** Damage of one entry, which can be left out. */
const ENTRIES: Readonly<Record<string, readonly string[]>> = {
  coco: ['a box of words'],
  voc: ['a tag that is not closed'],
  yolo: ['a class that is a word'],
  labelme: ['a coordinate that is a word', 'a comma too many'],
  csv: ['a coordinate that is a word'],
  via: ['a coordinate that is a word'],
  labelstudio: ['a coordinate that is a word'],
  cvat: ['an image without name'],
  odvg: ['a box of words', 'a line that is cut'],
  captions: ['a box of words'],
};

it.each(Object.entries(ENTRIES).flatMap(([name, kinds]) => kinds.map((kind) => [name, kind] as const)))(
  'an entry that cannot be used is left out on request: %s, %s',
  async (name, kind) => {
    const { file, damages } = CASES[name]!;
    const source = damagedSource(name, file, damages[kind]!);
    const out = join(temporaryFolder(), 'dataset');
    await expect(importDataset({ source, out })).rejects.toThrow('pass `--on-bad-row skip` to leave out such entries');
    const { leftOut, files } = await importDataset({ source, out, onBadRow: 'skip' });
    expect(leftOut).toContainEqual({
      what: 'entries that cannot be used (--on-bad-row skip)',
      count: 1,
      examples: [expect.stringContaining(basename(file))],
    });
    expect(files.reduce((sum, { annotations }) => sum + annotations, 0)).toBeGreaterThan(3);
  },
);
