import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/fixtures/datasets/run-preparation.ts';
import { readJsonDictionary, readJsonList, readJsonLists } from './json-entries.ts';

const fileOf = (text: string | Uint8Array): string => {
  const path = join(temporaryFolder(), 'a.json');
  writeFileSync(path, text);
  return path;
};

describe('readJsonLists', () => {
  it('gives the entries of the lists asked for, in the order of the file', () => {
    const path = fileOf(
      '\ufeff{"info":{"images":[0]},"annotations":[{"id":1}],"x":null,\n"images":[ {"a":"}"} , 7 ,[]]}',
    );
    expect([...readJsonLists(path, ['images', 'annotations'])]).toMatchObject([
      { list: 'annotations', place: 'annotations[0]', value: { id: 1 } },
      { list: 'images', place: 'images[0]', value: { a: '}' } },
      { list: 'images', place: 'images[1]', value: 7 },
      { list: 'images', place: 'images[2]', value: [] },
    ]);
    const whole = readFileSync(path);
    for (const { begin, end, value } of readJsonLists(path, ['images']))
      expect(JSON.parse(whole.toString('utf8', begin, end))).toEqual(value);
    expect([...readJsonLists(fileOf('{"images":[]}'), ['images'])]).toEqual([]);
  });

  it('reads what JSON.stringify and Python write, in pieces of any size', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.integer({ min: 16, max: 200 }), (list, chunkBytes) => {
        const path = fileOf(JSON.stringify({ before: list, list, after: { list } }));
        const values = [...readJsonLists(path, ['list'], { chunkBytes })].map(({ value }) => value);
        expect(values).toEqual(JSON.parse(JSON.stringify(list)));
      }),
      { numRuns: 200 },
    );
    expect([...readJsonList(fileOf('[{"a": NaN}]'))][0]!.value).toEqual({ a: 'NaN' });
  });

  it.each([
    ['{}', ['images'], /a\.json: has no list "images"/],
    ['', ['images'], /byte 0: expected an object with "images", the file ends/],
    ['[]', ['images'], /byte 0: expected an object with "images", found \[/],
    ['{"images":{}}', ['images'], /expected a list, found \{/],
    ['{"images":[{"a":1}', ['images'], /byte 18: expected "," or "\]", the file ends; .*fetch it again/],
    ['{"images":[{"a":"1}', ['images'], /never closed/],
    ['{"images":[{"a" 1}]}', ['images'], /byte 11: what begins here is not JSON/],
    ['{"images":[1]} x', ['images'], /expected nothing more/],
    [`{"images":[${'['.repeat(500)}`, ['images'], /nested deeper than 200/],
  ])('says what is wrong with %.30j', (text, lists, message) => {
    expect(() => [...readJsonLists(fileOf(text), lists)]).toThrow(message);
  });

  it('refuses an entry larger than memory, and a missing file', () => {
    const path = fileOf('["');
    const fd = openSync(path, 'r+');
    ftruncateSync(fd, 600_000_000);
    closeSync(fd);
    expect(() => [...readJsonList(path, { chunkBytes: 64 * 1024 * 1024 })]).toThrow(/larger than 256 MB/);
    expect(() => [...readJsonList(`${path}x`)]).toThrow(/there is no such file/);
  });

  it('closes the file when the reader stops early', () => {
    const path = fileOf(JSON.stringify(Array.from({ length: 1000 }, (_, i) => i)));
    for (let i = 0; i < 3000; i++) {
      const entries = readJsonList(path);
      entries.next();
      entries.return(undefined);
    }
  });
});

describe('readJsonDictionary', () => {
  it('gives keys and values', () => {
    const path = fileOf('{"1":{"q":"é"},"__proto__":2}');
    expect([...readJsonDictionary(path)]).toMatchObject([
      { key: '1', place: '["1"]', value: { q: 'é' } },
      { key: '__proto__', place: '["__proto__"]', value: 2 },
    ]);
    expect([...readJsonDictionary(fileOf('{}'))]).toEqual([]);
    expect(() => [...readJsonDictionary(fileOf('{"1":2,}'))]).toThrow(/byte 7: expected a string/);
  });
});
