/**
 * Checks the project's language: words of `language.json` in names, comments, messages and docs, and doc comments that
 * begin with a listed word. Prints `file:line: "word" -> replacement` for each finding; exit status 1 if there is any.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

interface Exception {
  /** Text that may contain a listed word. Matched literally, case-sensitively. */
  readonly text: string;
  /** Prefix of the paths that the exception holds for; everywhere without it. */
  readonly in?: string;
  readonly why: string;
}

export interface Rules {
  /** A word, or several separated by spaces, and what to write instead. */
  readonly words: Readonly<Record<string, string>>;
  readonly docCommentStarts: readonly string[];
  readonly exceptions: readonly Exception[];
}

export interface Finding {
  readonly line: number;
  readonly problem: string;
}

export const readRules = (): Rules =>
  JSON.parse(readFileSync(new URL('language.json', import.meta.url), 'utf8')) as Rules;

/** Splits names into words: `queryEmbed` and `query_embed` become `query Embed` and `query embed`. */
const splitName = (text: string): string => text.replace(/(\p{Ll}|\d)(?=\p{Lu})/gu, '$1 ').replace(/_/g, ' ');

const patternOf = (words: Rules['words']): RegExp =>
  new RegExp(
    `(?<!\\p{L})(${Object.keys(words)
      .map((word) => word.replaceAll(' ', '\\s+'))
      .join('|')})(?!\\p{L})`,
    'giu',
  );

const withoutExceptions = (text: string, path: string, { exceptions }: Rules): string =>
  exceptions.reduce(
    (rest, { text: allowed, in: prefix }) =>
      prefix === undefined || path.startsWith(prefix) ? rest.replaceAll(allowed, ' '.repeat(allowed.length)) : rest,
    text,
  );

/** Findings in a text, line by line. Phrases that a line break splits are found too. */
const findWords = (text: string, path: string, rules: Rules): Finding[] => {
  const searched = splitName(withoutExceptions(text, path, rules));
  return Array.from(searched.matchAll(patternOf(rules.words)), (match) => {
    const word = match[1]!.toLowerCase().replace(/\s+/g, ' ');
    return {
      line: searched.slice(0, match.index).split('\n').length,
      problem: `"${word}" -> ${rules.words[word]!}`,
    };
  });
};

/** Findings at doc comments that begin with a word that leaves the sentence without a subject. */
const findDocStarts = (source: string, { docCommentStarts }: Rules): Finding[] => {
  const pattern = new RegExp(`/\\*\\*\\s*(?:\\*\\s*)?(${docCommentStarts.join('|')})(?![\\p{L}-])`, 'gu');
  return Array.from(source.matchAll(pattern), (match) => ({
    line: source.slice(0, match.index).split('\n').length,
    problem: `a doc comment begins with "${match[1]!}": say what the thing is`,
  }));
};

/** Findings in one file: everything in documents and code alike, since names, comments and strings are all read. */
export const checkText = (path: string, text: string, rules: Rules): Finding[] => [
  ...findWords(text, path, rules),
  ...(/\.[cm]?[jt]s$/.test(path) ? findDocStarts(text, rules) : []),
];

const isChecked = (path: string): boolean =>
  /\.(ts|js|mjs|md|py|sh|yml)$/.test(path) && !/^test\/fixtures\/.*\.(json|txt|md)$/.test(path);

const main = (): void => {
  const rules = readRules();
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { encoding: 'utf8' })
    .split('\n')
    .filter(isChecked);
  let count = 0;
  for (const path of files) {
    for (const { line, problem } of checkText(path, readFileSync(path, 'utf8'), rules)) {
      process.stdout.write(`${path}:${line}: ${problem}\n`);
      count++;
    }
  }
  process.stdout.write(
    count === 0 ? `language: ${files.length} files, nothing found\n` : `language: ${count} findings\n`,
  );
  process.exitCode = count === 0 ? 0 : 1;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
