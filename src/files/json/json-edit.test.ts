import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withJsonKey } from './json-edit.ts';

describe('withJsonKey', () => {
  it('appends a key with the indentation of the others and changes nothing else', () => {
    const text = '{\n  "rate": 1e-4,\n  "list": [1,\n 2]\n}\n';
    expect(withJsonKey(text, 'a', { b: 1 }, 't')).toBe(
      '{\n  "rate": 1e-4,\n  "list": [1,\n 2],\n  "a": {\n    "b": 1\n  }\n}\n',
    );
  });

  it('replaces the value of an existing key of the outermost object only', () => {
    const text = '{"x":{"a":1},"a":[{"a":"}"}],"z":"\\"a\\""}';
    expect(withJsonKey(text, 'a', 7, 't')).toBe('{"x":{"a":1},"a":7,"z":"\\"a\\""}');
  });

  it('takes an empty object and refuses other values', () => {
    expect(withJsonKey('{}', 'a', 1, 't')).toBe('{"a":1}');
    expect(() => withJsonKey('[1]', 'a', 1, 'file')).toThrow('file: must hold a JSON object');
    expect(() => withJsonKey('{"a":', 'a', 1, 'file')).toThrow('file: is not JSON');
  });

  it('gives the object with that key, for any object', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[a-z"\\{}]*$/), fc.jsonValue()),
        fc.stringMatching(/^[a-z"]*$/),
        fc.integer({ min: 0, max: 1 }),
        (object, key, indent) => {
          const text = JSON.stringify(object, undefined, indent * 2);
          const expected = { ...object, [key]: 'new' };
          expect(JSON.parse(withJsonKey(text, key, 'new', 't'))).toEqual(JSON.parse(JSON.stringify(expected)));
        },
      ),
    );
  });
});
