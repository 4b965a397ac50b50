import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/run-preparation.ts';
import { readJsonDictionary, readJsonList, readJsonLists } from './json-entries.ts';

const fileOf = (text: string | Uint8Array): string => {
  const path = join(temporaryFolder(), 'a.json');
  writeFileSync(path, text);
  return path;
};

describe('readJsonLists', () => {
  it('iterates over the entries of the requested lists, in file order', () => {
    const path = fileOf(
      '\ufeff{"info":{"images":[0]},"annotations":[{"id":1}],"x":null,\n"images":[ {"a":"}"} , 7 ,[]]}',
    );
    expect([...readJsonLists(path, ['images', 'annotations'])]).toMatchObject([
      { list: 'annotations', location: 'annotations[0]', value: { id: 1 } },
      { list: 'images', location: 'images[0]', value: { a: '}' } },
      { list: 'images', location: 'images[1]', value: 7 },
      { list: 'images', location: 'images[2]', value: [] },
    ]);
    const bytes = readFileSync(path);
    for (const { begin, end, value } of readJsonLists(path, ['images']))
      expect(JSON.parse(bytes.toString('utf8', begin, end))).toEqual(value);
    expect([...readJsonLists(fileOf('{"images":[]}'), ['images'])]).toEqual([]);
  });

  it('reads JSON from JSON.stringify and Python, with any chunk size', () => {
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
    ['{"images":[{"a":1}', ['images'], /byte 18: expected "," or "\]", the file ends; .*download it again/],
    ['{"images":[{"a":"1}', ['images'], /never closed/],
    ['{"images":[{"a" 1}]}', ['images'], /byte 11: the value here is not valid JSON/],
    ['{"images":[1]} x', ['images'], /expected nothing more/],
    [`{"images":[${'['.repeat(500)}`, ['images'], /nested deeper than 200/],
  ])('reports the error in %.30j', (text, lists, message) => {
    expect(() => [...readJsonLists(fileOf(text), lists)]).toThrow(message);
  });

  it('rejects an entry larger than memory, and a missing file', () => {
    const path = fileOf('["');
    const fd = openSync(path, 'r+');
    ftruncateSync(fd, 600_000_000);
    closeSync(fd);
    expect(() => [...readJsonList(path, { chunkBytes: 64 * 1024 * 1024 })]).toThrow(/larger than 256 MB/);
    expect(() => [...readJsonList(`${path}x`)]).toThrow(/there is no such file/);
  });

  it('closes the file when the iteration stops early', () => {
    const path = fileOf(JSON.stringify(Array.from({ length: 1000 }, (_, i) => i)));
    for (let i = 0; i < 1500; i++) {
      const entries = readJsonList(path);
      entries.next();
      entries.return(undefined);
    }
  });
});

describe('readJsonDictionary', () => {
  it('iterates over keys and values', () => {
    const path = fileOf('{"1":{"q":"é"},"__proto__":2}');
    expect([...readJsonDictionary(path)]).toMatchObject([
      { key: '1', location: '["1"]', value: { q: 'é' } },
      { key: '__proto__', location: '["__proto__"]', value: 2 },
    ]);
    expect([...readJsonDictionary(fileOf('{}'))]).toEqual([]);
    expect(() => [...readJsonDictionary(fileOf('{"1":2,}'))]).toThrow(/byte 7: expected a string/);
  });
});
