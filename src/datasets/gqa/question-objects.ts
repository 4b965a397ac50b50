import { codePointLength } from '../../text/spans/code-points.ts';
import { codePointsOf, consolidateSpans } from '../combine/caption-spans.ts';
import type { CodePointSpan } from '../../text/spans/span.ts';
import type { GqaSourceQuestion } from './grouped-questions.ts';

/** An object of the scene graph with the spans of a question that refer to it. */
export interface MentionedObject {
  readonly objectId: string;
  readonly spans: readonly CodePointSpan[];
}

/** Question words, the first of which found in the question refers to the answer's object. */
const ANSWER_WORDS = ['What', 'what', 'Who', 'who', 'Where', 'where'];

/**
 * Finds the objects that a question mentions and their spans, by the official rules:
 *
 * 1. Objects in the annotations of the question, which give word indices.
 * 2. Objects that the program selects (`shirt (1234)`) and the annotations lack: the occurrence of the name's first word.
 * 3. Objects of the answer that the question does not mention: the question word. Of several objects the last one wins.
 *
 * `onProblem` is called for every object without a matching word; these are left out.
 */
export const mentionedObjects = (
  { question, semantic, annotations }: GqaSourceQuestion,
  onProblem: (what: string) => void,
): MentionedObject[] => {
  const caption = codePointsOf(question);
  const words = wordRanges(caption);
  const byWords: MentionedObject[] = [];
  // Restore the order of the question: JSON.parse puts integer keys first.
  const inOrder = Object.entries(annotations.question).sort(([a], [b]) => parseInt(a, 10) - parseInt(b, 10));
  for (const [key, objectId] of inOrder) {
    const span = spanOfWords(key, words);
    if (span === undefined) onProblem('annotations of words outside the question');
    else byWords.push({ objectId, spans: consolidateSpans([span], caption) });
  }

  // One object per span: a later object replaces an earlier one, as in the official script.
  const bySpan = new Map<string, { readonly span: CodePointSpan; readonly objectId: string }>();
  const put = (at: number, name: string, objectId: string): void => {
    const begin = codePointLength(question.slice(0, at));
    const span: CodePointSpan = [begin, begin + codePointLength(name)];
    bySpan.set(span.join(), { span, objectId });
  };
  const annotated = new Set(Object.values(annotations.question));
  for (const { operation, argument } of semantic) {
    const objectId = /[0-9]+/.exec(argument)?.[0];
    if (operation !== 'select' || objectId === undefined || annotated.has(objectId)) continue;
    const name = /[A-Za-z[\]\\^_`]+/.exec(argument)?.[0];
    const at = name === undefined ? -1 : question.indexOf(name);
    if (at < 0) onProblem('selected objects whose name is not in the question');
    else put(at, name!, objectId);
  }

  const mentioned = new Set([...annotated, ...[...bySpan.values()].map(({ objectId }) => objectId)]);
  const answerWord = ANSWER_WORDS.find((word) => question.includes(word));
  for (const objectId of Object.values(annotations.answer))
    if (!mentioned.has(objectId) && answerWord !== undefined) put(question.indexOf(answerWord), answerWord, objectId);

  const byName = [...bySpan.values()].map(({ span, objectId }) => ({
    objectId,
    spans: consolidateSpans([span], caption),
  }));
  return [...byWords, ...byName];
};

/** Ranges of the words of a caption, split at white space. */
const wordRanges = (caption: readonly string[]): CodePointSpan[] => {
  const ranges: CodePointSpan[] = [];
  let begin = -1;
  for (let i = 0; i <= caption.length; i++) {
    const isSpace = i === caption.length || /^\s$/u.test(caption[i]!);
    if (isSpace && begin >= 0) ranges.push([begin, i]);
    if (isSpace) begin = -1;
    else if (begin < 0) begin = i;
  }
  return ranges;
};

/** Range of a key of the annotations: `3` is word 3, `3:5` words 3 and 4. */
const spanOfWords = (key: string, words: readonly CodePointSpan[]): CodePointSpan | undefined => {
  const match = /^(\d+)(?::(\d+))?$/.exec(key);
  if (match === null) return undefined;
  const first = words[Number(match[1])];
  const last = words[match[2] === undefined ? Number(match[1]) : Number(match[2]) - 1];
  return first === undefined || last === undefined || last[1] <= first[0] ? undefined : [first[0], last[1]];
};
