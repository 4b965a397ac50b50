import type { Span } from './span.ts';
import { WORD_TIE, wordSpans } from './words.ts';
import { wordSet } from '../word-set.ts';

/** Words that open a phrase. */
const DETERMINERS = wordSet(
  'a an the this these those some another each every no any both all his her its their my our your ' +
    'one two three four five six seven eight nine ten eleven twelve several few',
);
/** Words that are no part of any phrase. */
const FUNCTION_WORDS = wordSet(
  'and or but in on at with without by to from for near is are was were be been being am has have had do does did can ' +
    'could will would should may might must there here it they he she we i you who whom whose which that what where ' +
    'when why how many much as into onto than then so not also while if upon toward towards through across against ' +
    'along among around beside besides between beyond during inside outside within over under above below behind ' +
    'beneath underneath up down off out next adjacent find show locate detect point me us them him herself himself ' +
    'itself themselves very together sits sit stands stand lies lie holds hold wears wear rides ride plays play walks ' +
    'walk runs run looks look eats eat hangs hang leans lean rests rest carries carry touches touch',
);
/** Words that are attributes before a noun ("left shoe") and positions elsewhere ("left of", "on the left"). */
const POSITIONS = wordSet(
  'left right front back top bottom side middle center far close closest nearest left-hand right-hand',
);
/** Attributes that questions ask for after "what" and "which". */
const ASKED_ATTRIBUTES = wordSet('color shape size material kind type number');
/** Nouns in -ing and -ed; other such words after a noun are verbs: "zebra grazing", "car parked". */
const NOT_VERBS = wordSet(
  'building ceiling railing clothing wing ring string king painting writing frosting icing lighting topping stuffing ' +
    'awning covering opening crossing siding flooring wiring lettering drawing carving thing something anything nothing ' +
    'spring swing bedding padding fencing landing dressing pudding morning evening wedding earring duckling seedling ' +
    'dumpling sibling herring red bed shed sled seed weed breed reed speed bobsled flatbed hundred watershed',
);
/**
 * Noun phrases of an English caption, in its order, as function words and punctuation delimit them: "a man in a red coat"
 * has "a man" and "a red coat". A rule of thumb without a dictionary, so it is the same and instant on every platform;
 * text in other languages is divided by punctuation.
 */
export const captionPhrases = (caption: string): Span[] => {
  const words = wordSpans(caption);
  const lower = words.map(({ start, end }) => caption.slice(start, end).toLowerCase());
  const isTied = (i: number): boolean => i > 0 && WORD_TIE.test(caption.slice(words[i - 1]!.end, words[i]!.start));
  const isContent = (i: number): boolean =>
    i < lower.length &&
    !DETERMINERS.has(lower[i]!) &&
    !FUNCTION_WORDS.has(lower[i]!) &&
    lower[i] !== 'of' &&
    !isNumber(lower[i]!);
  const phrases: Span[] = [];
  let first = -1;
  let last = -1;
  const close = (): void => {
    if (last >= 0) phrases.push({ start: words[first]!.start, end: words[last]!.end });
    first = -1;
    last = -1;
  };
  for (let i = 0; i < words.length; i++) {
    const word = lower[i]!;
    if (!isTied(i)) close();
    if (word === 'of') {
      // "a glass of water"; but "left of the cube", "of the dogs".
      if (last !== i - 1 || !isTied(i + 1 < words.length ? i + 1 : 0)) close();
    } else if (DETERMINERS.has(word) || isNumber(word)) {
      if (last >= 0 && lower[i - 1] !== 'of') close();
      if (first < 0) first = i;
    } else if (FUNCTION_WORDS.has(word)) close();
    else if (POSITIONS.has(word)) {
      const isAttribute = isContent(i + 1) && isTied(i + 1) && last < 0;
      if (!isAttribute) close();
      else if (first < 0) first = i;
    } else if (ASKED_ATTRIBUTES.has(word) && ['what', 'which'].includes(lower[i - 1] ?? '')) close();
    else if (last >= 0 && isVerbForm(word) && !isContent(i + 1)) close();
    else {
      if (first < 0) first = i;
      last = i;
    }
  }
  close();
  return phrases;
};

const isNumber = (word: string): boolean => /^\d+$/.test(word);

const isVerbForm = (word: string): boolean => /(?:ing|ed)$/.test(word) && !NOT_VERBS.has(word);
