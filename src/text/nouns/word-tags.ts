import model from 'wink-eng-lite-web-model';
import winkNLP, { type ItsFunction, type PartOfSpeech } from 'wink-nlp';

export type { PartOfSpeech } from 'wink-nlp';

/** A word or punctuation mark of an English text, with its universal part-of-speech tag. */
export interface TaggedWord {
  /** The word as it stands in the text. */
  readonly text: string;
  /** First UTF-16 unit. */
  readonly start: number;
  /** One past the last UTF-16 unit. */
  readonly end: number;
  readonly pos: PartOfSpeech;
  /** Lemma in lower case: `leaf` for "leaves". */
  readonly lemma: string;
}

/** The tagger, loaded at first use: its model takes a quarter of a second and some 40 MB. */
let tagger: ReturnType<typeof winkNLP> | undefined;

/** Splits a text into words and punctuation marks ("dog's" is two, "left-hand" three) and tags their parts of speech. */
export const tagWords = (text: string): TaggedWord[] => {
  tagger ??= winkNLP(model, ['sbd', 'pos']);
  const { its } = tagger;
  const tokens = tagger.readDoc(text).tokens();
  const words = tokens.out();
  const parts = tokens.out(its.pos) as PartOfSpeech[];
  const lemmas = tokens.out(its.lemma as ItsFunction<string>); // its declared type asks for more arguments
  const tagged: TaggedWord[] = [];
  let from = 0;
  words.forEach((word, i) => {
    const start = text.indexOf(word, from);
    // White space is sometimes a token; all other tokens are parts of the text.
    if (start < 0 || word.trim() === '') return;
    from = start + word.length;
    tagged.push({ text: word, start, end: from, pos: parts[i]!, lemma: lemmas[i]! });
  });
  return tagged;
};
