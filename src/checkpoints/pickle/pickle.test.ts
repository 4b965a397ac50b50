import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { int, opcodes, text } from '../../../test/support/weight-files.ts';
import { MdetrError } from '../../errors.ts';
import { readPickle } from './pickle.ts';
import { PickleTuple, PickleWriter } from './pickle-writer.ts';
import { jsonOf } from './pickle-values.ts';

const samples = JSON.parse(
  readFileSync(new URL('../../../test/fixtures/pickles/plain.json', import.meta.url), 'utf8'),
) as Record<string, string>;

const expected = [
  new Map<string, unknown>([
    ['ref_id', 1],
    ['sent_ids', [0, 1, 2]],
    ['file_name', 'COCO_train2014_000000581857_16.jpg'],
    ['split', 'train'],
    ['category_id', 18],
    ['ann_id', 1719310],
    [
      'sentences',
      [
        new Map<string, unknown>([
          ['tokens', ['the', 'lady']],
          ['raw', 'THE LADY'],
          ['sent_id', 0],
          ['sent', 'the lady'],
        ]),
        new Map<string, unknown>([
          ['tokens', ['café', '😀', 'a\\nb\n']],
          ['raw', ''],
          ['sent_id', 2 ** 40],
          ['sent', "it's 你"],
        ]),
      ],
    ],
  ]),
  [1, -5, 2.5, 1e300, Infinity, null, true, false, -(2 ** 31), 2n ** 100n, -(2n ** 63n)],
  new Set([1, 2]),
  new Set(['x']),
  Uint8Array.of(0, 255),
  new Map([
    ['b', 1],
    ['a', 2],
  ]),
  new Map<string, unknown>([
    ['__proto__', new Map([['polluted', true]])],
    ['constructor', 1],
  ]),
  new Map(),
  [],
  [],
];

describe('readPickle', () => {
  // Protocols 0 and 1 write frozensets and bytes through other names, all of them allowed.
  it.each(Object.keys(samples))('reads what Python writes in protocol %s', (protocol) => {
    expect(readPickle(Buffer.from(samples[protocol]!, 'base64'))).toEqual(expected);
  });

  it.each(Object.keys(samples))('refuses every truncation of protocol %s', (protocol) => {
    const bytes = Buffer.from(samples[protocol]!, 'base64');
    for (let length = 0; length < bytes.byteLength; length++) {
      expect(() => readPickle(bytes.subarray(0, length)), `${length} bytes`).toThrow(MdetrError);
    }
  });

  it('throws only MdetrError when any byte is changed', () => {
    const bytes = Object.values(samples).map((sample) => Buffer.from(sample, 'base64'));
    fc.assert(
      fc.property(
        fc.constantFrom(...bytes),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1 }),
        (from, changes) => {
          const changed = Buffer.from(from);
          for (const [position, byte] of changes) changed[position % changed.byteLength] = byte;
          try {
            readPickle(changed);
          } catch (error) {
            expect(error).toBeInstanceOf(MdetrError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('reads Python 2 byte strings as text: UTF-8 where valid, else Latin-1', () => {
    expect(
      readPickle(opcodes("(S'it\\'s \\xe4\\n\\101'\nU\x03caf", 'U\x02\xc3\xa9', 'T\x01\x00\x00\x00\xe9', 'l.')),
    ).toEqual(["it's ä\nA", 'caf', 'é', 'é']);
  });

  it('reads the text opcodes of protocol 0', () => {
    const source = '(I01\nI00\nI-7\nL12345678901234567890L\nF-1.5e3\nFnan\nVa\\u00e9\\U0001f600\\n\nd.';
    expect(() => readPickle(opcodes(source))).toThrow(/key without a value/);
    expect(readPickle(opcodes(source.replace('d.', 'l.')))).toEqual([
      true,
      false,
      -7,
      12345678901234567890n,
      -1500,
      NaN,
      'aé😀\\n',
    ]);
  });

  it('keeps shared objects shared', () => {
    const value = readPickle(opcodes(']q\x00h\x00h\x00\x87.')) as unknown[];
    expect(value[0]).toBe(value[1]);
  });
});

describe('hostile pickles', () => {
  const refusals: Readonly<Record<string, readonly [Uint8Array, RegExp]>> = {
    'os.system': [opcodes('cos\nsystem\n(S"rm -rf ~"\ntR.'), /asks for "os\.system".*Nothing was executed/],
    'posix.system by stack': [opcodes('\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.'), /"posix\.system"/],
    'builtins.eval': [opcodes('\x80\x02cbuiltins\neval\n', text('1+1'), '\x85R.'), /"builtins\.eval"/],
    'a name with line breaks': [opcodes('\x8c\x03a\nb\x8c\x02\x1b[\x93.'), /"a\\nb\.\\u001b\["/],
    'Namespace in plain data': [opcodes('cargparse\nNamespace\n)\x81.'), /"argparse\.Namespace"/],
    INST: [opcodes('(ios\nsystem\n.'), /opcode INST/],
    OBJ: [opcodes('(cos\nsystem\no.'), /"os\.system"/],
    'extension registry': [opcodes('\x82\x01.'), /opcode EXT1/],
    'out-of-band buffer': [opcodes('\x97.'), /opcode NEXT_BUFFER/],
    'persistent id': [opcodes('NQ.'), /outside of the pickle/],
    'text persistent id': [opcodes('Pabc\n.'), /opcode PERSID/],
    'a class left as a value': [opcodes('ccollections\nOrderedDict\n.'), /holds collections\.OrderedDict as a value/],
    'a call of a value': [opcodes('K\x01)R.'), /calls something that is not a name/],
    'another codec': [opcodes('c_codecs\nencode\n', text('x'), text('rot13'), '\x86R.'), /_codecs\.encode/],
    'bytes of a size': [opcodes('cbuiltins\nbytes\n', int(2 ** 40), '\x85R.'), /bytes\(\) with arguments/],
    'a set of a number': [opcodes('cbuiltins\nset\nK\x05\x85R.'), /a set of something/],
    'impossible string length': [opcodes('X\xff\xff\xff\xff'), /string of 4294967295 bytes/],
    'impossible 64-bit length': [opcodes('\x8e\xff\xff\xff\xff\xff\xff\xff\x7f'), /beyond 2\^53/],
    'impossible integer': [opcodes('\x8b\x00\x00\x00\x10'), /integer of 268435456 bytes/],
    'impossible frame': [opcodes('\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xff.'), /beyond 2\^53/],
    'protocol 9': [opcodes('\x80\x09N.'), /protocol 9/],
    'missing memo entry': [opcodes('j\xff\xff\xff\xff.'), /memo entry 4294967295/],
    'missing mark': [opcodes('t.'), /no matching mark/],
    'empty stack': [opcodes('.'), /empty stack/],
    'unknown opcode': [opcodes('\x80\x02\xff'), /byte 2 \(0xff\) is not an opcode/],
    'a list inside itself': [opcodes(']q\x00h\x00a.'), /contains itself/],
    'a dictionary inside itself': [opcodes('}q\x00K\x01h\x00s.'), /contains itself/],
    'deep nesting, built from the outside': [opcodes(']'.repeat(100_000), 'a'.repeat(99_999), '.'), /100 levels deep/],
    'deep nesting, built from the inside': [opcodes(')', '\x85'.repeat(1_000_000), '.'), /100 levels deep/],
    'deep nesting by marks': [opcodes('('.repeat(1_000_000), 't'.repeat(1_000_000), '.'), /100 levels deep/],
    'invalid UTF-8': [opcodes('X\x02\x00\x00\x00\xc3\x28.'), /valid UTF-8/],
    'BUILD on a number': [opcodes('K\x01}b.'), /object that has none/],
  };
  it.each(Object.keys(refusals))('%s', (name) => {
    const [bytes, message] = refusals[name]!;
    expect(() => readPickle(bytes, { name: 'evil.p' })).toThrow(MdetrError);
    expect(() => readPickle(bytes, { name: 'evil.p' })).toThrow(message);
    expect(() => readPickle(bytes, { name: 'evil.p' })).toThrow(/^evil\.p: /);
  });

  const limits = { maxObjects: 10_000 };
  const bombs: Readonly<Record<string, Uint8Array>> = {
    'many objects': opcodes(']'.repeat(20_000), '.'),
    'many memo entries': opcodes('N', '\x94'.repeat(20_000), '.'),
    'many marks': opcodes('('.repeat(20_000), '.'),
    'a set copied repeatedly': opcodes(
      '](',
      ...Array.from({ length: 1000 }, (_, i) => int(i)),
      'eq\x00',
      'cbuiltins\nset\nh\x00\x85R'.repeat(50),
      '.',
    ),
    'a stack full of one object': opcodes(']q\x00', 'h\x00'.repeat(20_000), '.'),
  };
  it.each(Object.keys(bombs))('stops at %s', (name) => {
    expect(() => readPickle(bombs[name]!, { limits })).toThrow(/more than 10000 objects/);
  });

  it('reads ten shared levels of ten quickly, and refuses to convert them to JSON', () => {
    let source = 'K\x01q\x00';
    for (let level = 0; level < 10; level++)
      source += `](${`h${String.fromCharCode(level)}`.repeat(10)}eq${String.fromCharCode(level + 1)}`;
    const value = readPickle(opcodes(source, '.'));
    expect(() => jsonOf(value, 'laughs.p')).toThrow(/laughs\.p: refused.*100000/);
  });

  it('does not modify prototypes', () => {
    const value = readPickle(opcodes('}(', text('__proto__'), '}', text('polluted'), '\x88s', text('x'), 'K\x01u.'));
    const json = jsonOf(value, 'x') as Record<string, unknown>;
    expect(Object.keys(json)).toEqual(['__proto__', 'x']);
    expect(Object.getPrototypeOf(json)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('PickleWriter', () => {
  it('writes what readPickle reads', () => {
    const leaf = fc.oneof(
      fc.constant(null),
      fc.boolean(),
      fc.integer(),
      fc.double(),
      fc.maxSafeInteger(),
      fc.bigInt({ min: 2n ** 53n, max: 2n ** 200n }),
      fc.bigInt({ min: -(2n ** 200n), max: -(2n ** 53n) }),
      fc.string({ unit: 'grapheme' }),
    );
    const { value: tree } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('value')),
        fc.array(fc.tuple(fc.string(), tie('value'))).map((entries) => new Map(entries)),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        const { bytes } = PickleWriter.pickle(value as Parameters<typeof PickleWriter.pickle>[0]);
        expect(readPickle(bytes)).toEqual(value);
      }),
    );
  });

  it('writes tuples', () => {
    expect(readPickle(PickleWriter.pickle(new PickleTuple([1, 'a', []])).bytes)).toEqual([1, 'a', []]);
  });
});
