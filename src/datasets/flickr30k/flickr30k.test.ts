import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { expectedFile, fixtureFolder, runPreparation, temporaryFolder } from '../../../test/support/run-preparation.ts';
import { type CocoAnnotation, type CocoImage } from '../../data/format/coco-format.ts';
import { problemsOfRow } from '../../data/format/row-checks.ts';
import { parseEntityImage } from './entity-boxes.ts';
import { flickr30k } from './flickr30k.ts';
import { parseSentences } from './sentences.ts';

const folder = fixtureFolder('flickr30k');

const copyOfFixture = (): string => {
  const copy = temporaryFolder();
  cpSync(folder, copy, { recursive: true });
  return copy;
};

describe('flickr30k', () => {
  it('writes the official files, checked by hand', async () => {
    const { files, report } = await runPreparation(flickr30k, folder);
    const names = ['separate', 'merged'].flatMap((kind) =>
      ['train', 'val', 'test'].map((split) => `final_flickr_${kind}GT_${split}.json`),
    );
    expect(Object.keys(files)).toEqual(names);
    for (const name of names) expect(files[name], name).toEqual(expectedFile('flickr30k', name));
    expect(report.leftOut).toEqual([
      { what: 'phrases without boxes', count: 3, examples: ['1001.txt line 1', '1001.txt line 2', '1002.txt line 3'] },
    ]);
    expect(report.notes).toMatchObject([{ what: expect.stringContaining('beyond the image'), count: 2 }]);
  });

  it('counts spans in code points, also after an emoji', async () => {
    const { files } = await runPreparation(flickr30k, folder, { splits: ['val'], options: { boxes: 'separate' } });
    const { images, annotations } = files['final_flickr_separateGT_val.json'] as {
      images: CocoImage[];
      annotations: CocoAnnotation[];
    };
    const [begin, end] = images[0]!.tokens_positive_eval![1]![0]!;
    const phrase = Array.from(images[0]!.caption!).slice(begin, end).join('');
    expect(phrase).toBe('einen 🎩 Hut');
    for (const image of images)
      expect(problemsOfRow({ image, annotations: annotations.filter((box) => box.image_id === image.id) })).toEqual([]);
  });

  it('names all missing files at once, or leaves their images out', async () => {
    const copy = copyOfFixture();
    rmSync(join(copy, 'Annotations/1001.xml'));
    rmSync(join(copy, 'Sentences/1001.txt'));
    await expect(runPreparation(flickr30k, copy)).rejects.toThrow(
      /2 files of train\.txt are missing: Annotations\/1001\.xml, Sentences\/1001\.txt\. .*--on-missing skip/,
    );
    const { files, report } = await runPreparation(flickr30k, copy, { options: { 'on-missing': 'skip' } });
    expect(files['final_flickr_mergedGT_train.json']).toMatchObject({ images: [], annotations: [] });
    expect(report.leftOut[0]).toMatchObject({ what: 'listed images whose files are missing', count: 2 });
    rmSync(join(copy, 'Annotations'), { recursive: true });
    rmSync(join(copy, 'val.txt'));
    await expect(runPreparation(flickr30k, copy)).rejects.toThrow(/^missing: .*val\.txt \(.*; .*Annotations \(boxes/);
  });

  it('rejects a file that is not a list of images', async () => {
    const copy = copyOfFixture();
    writeFileSync(join(copy, 'test.txt'), '1003\n../../etc/passwd\n');
    await expect(runPreparation(flickr30k, copy)).rejects.toThrow(
      /test\.txt: line 2: "\.\.\/\.\.\/etc\/passwd" is not/,
    );
  });
});

describe('parseSentences', () => {
  const parse = (text: string) => parseSentences(text, 'a.txt');

  it('reads phrases before punctuation, of several categories, and empty ones', () => {
    expect(parse('[/EN#01/people/other The man], [/EN#2/other ] waits\r\n\n')).toEqual([
      {
        caption: 'The man, waits',
        phrases: [{ text: 'The man', span: [0, 7], entity: '1', types: ['people', 'other'] }],
      },
    ]);
    expect(parse('see [/EN#3/other it ] .')[0]).toEqual({
      caption: 'see it .',
      phrases: [{ text: 'it', span: [4, 6], entity: '3', types: ['other'] }],
    });
  });

  it.each([
    ['[/EN#1/people A man', /a\.txt: line 1: the bracket of phrase 1 is never closed/],
    ['a b\n[/EN#1/people A [/EN#2/other man]', /line 2: phrase 1 contains another/],
    ['[/EN#x/people A man]', /"\[\/EN#x\/people" opens a phrase, but does not have the form/],
    ['[/EN#99999999999999999999/people A man]', /opens a phrase/],
  ])('reports the error in %j', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });
});

describe('parseEntityImage', () => {
  const parse = (xml: string) => parseEntityImage(xml, 'a.xml');
  const size = '<filename>a.jpg</filename><size><width>5</width><height>4</height></size>';
  const box = '<xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax>';

  it('reads boxes, ids with leading zeros, and objects without boxes', () => {
    const { boxes } = parse(
      `<annotation>${size}<object><name> 07 </name><bndbox>${box}</bndbox></object><object><name>8</name><bndbox/></object></annotation>`,
    );
    expect([...boxes]).toEqual([['7', [[1, 2, 2, 2]]]]);
  });

  it.each([
    ['', /a\.xml: line 1: /],
    [`<annotation>${size}<object>`, /malformed XML: unclosed tag: object/],
    [`<annotation>${size}</annotation`, /malformed XML/],
    [`<other>${size}</other>`, /begins with <other>, not <annotation>/],
    ['<annotation></annotation>', /<annotation> has no <filename>/],
    ['<annotation><filename>a.jpg</filename></annotation>', /<annotation> has no <size>/],
    [`<annotation>${size.replace('5', 'wide')}</annotation>`, /<size> has "wide" as <width>/],
    [`<annotation>${size}<object><name>x</name><bndbox>${box}</bndbox></object></annotation>`, /<name> is "x"/],
    [`<annotation>${size}<object><bndbox><xmin>1</xmin></bndbox></object></annotation>`, /<bndbox> has no <ymin>/],
    [`<!DOCTYPE a [<!ENTITY b "bbbb">]><annotation>${size}</annotation>`, /declares a document type/],
    [`<annotation>&b;${size}</annotation>`, /malformed XML: undefined entity/],
    ['<annotation>' + '<object>'.repeat(100_000), /nested deeper than 20 levels/],
    [`<annotation>${' '.repeat(5_000_000)}</annotation>`, /5000025 characters are too many/],
  ])('reports the error in %.60s', (xml, message) => {
    expect(() => parse(xml)).toThrow(message);
  });

  it('ignores elements named like prototype properties', () => {
    expect(
      parse(`<annotation><__proto__><constructor>1</constructor></__proto__>${size}</annotation>`).boxes.size,
    ).toBe(0);
  });
});
