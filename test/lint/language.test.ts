import { describe, expect, it } from 'vitest';
import { checkText, readRules, type Finding, type Rules } from '../../scripts/lint/language.ts';

/** Rules with made-up words, since the checker reads this file, too. */
const rules: Rules = {
  words: { zorb: 'image', zorbs: 'images', 'old zorb': 'new image' },
  docCommentStarts: ['Hence', 'So much'],
  exceptions: [
    { text: 'the zorb', in: 'src/words/', why: 'a generated sentence' },
    { text: 'zorb_file', why: 'an official name' },
  ],
};
const check = (text: string, path = 'src/file.ts'): readonly Finding[] => checkText(path, text, rules);
const linesOf = (text: string, path?: string): number[] => check(text, path).map(({ line }) => line);

describe('words', () => {
  it.each([
    ['a camel-case name', 'const firstZorb = 1;'],
    ['a name in snake case', "{ 'first_zorb': 1 }"],
    ['a constant', 'const MAX_ZORB = 1;'],
    ['a type', 'interface ZorbReader {}'],
    ['a name with a digit', 'const v2Zorb = 1;'],
    ['a comment', '// reads the zorb'],
    ['a message', "throw new Error('no zorb')"],
    ['a template', '`${count} zorbs`'],
  ])('are found in %s', (_, text) => expect(check(text)).toHaveLength(1));

  it('are found in documents and Python files', () => {
    expect(linesOf('# Title\n\nDraws a zorb.\n', 'docs/drawing.md')).toEqual([3]);
    expect(linesOf('def read_zorb():\n', 'bench/read.py')).toEqual([1]);
  });

  it('are reported with their line and replacement; phrases may be split by a line break', () => {
    expect(check('// one\n// a Zorb')).toEqual([{ line: 2, problem: '"zorb" -> image' }]);
    expect(check('an old\nzorb', 'docs/a.md')).toEqual([{ line: 1, problem: '"old zorb" -> new image' }]);
  });

  it('are not found inside longer words', () => {
    expect(check('const absorbed = zorbing + exzorb;')).toEqual([]);
  });

  it('are allowed by exceptions, which hold for their text and folder only', () => {
    expect(check("'the zorb'", 'src/words/list.ts')).toEqual([]);
    expect(check("'a zorb'", 'src/words/list.ts')).toHaveLength(1);
    expect(check("'the zorb'", 'src/other/list.ts')).toHaveLength(1);
    expect(linesOf('read(zorb_file)\nread(zorb)')).toEqual([2]);
  });
});

describe('doc comments', () => {
  it.each(['/** Hence the image. */', '/**\n * Hence the image.\n */', '/** So much memory. */'])(
    'are found if they begin with a listed word: %j',
    (text) => expect(check(text)).toHaveLength(1),
  );

  it.each(['/** Henceforth an image. */', '/** Length of it. */', '// Hence the image.', '/** Hence-named image. */'])(
    'are accepted otherwise: %j',
    (text) => expect(check(text)).toEqual([]),
  );

  it('are read in code only', () => expect(check('/** Hence the image. */', 'docs/a.md')).toEqual([]));
});

describe('language.json', () => {
  const own = readRules();

  it.each(Object.entries(own.words))('"%s" is found and replaced', (word, replacement) => {
    const [name] = [word.replaceAll(' ', '_')];
    for (const text of [`// ${word}`, `const ${name} = 1;`, `'${word}.'`])
      expect(checkText('src/file.ts', text, own)).toEqual([{ line: 1, problem: `"${word}" -> ${replacement}` }]);
  });

  it.each(own.docCommentStarts)('a doc comment that begins with "%s" is found', (start) => {
    expect(checkText('src/file.ts', `/** ${start} it is. */`, { ...own, words: { zorb: 'image' } })).toHaveLength(1);
  });

  it('gives a reason for every exception', () => {
    for (const { text, why } of own.exceptions) expect(why, text).not.toBe('');
  });
});
