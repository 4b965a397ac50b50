import { captionPhrases } from '../../text/spans/caption-phrases.ts';

/** A phrase as a class name: without its article and surrounding white space. */
export const labelOfPhrase = (phrase: string): string => phrase.trim().replace(/^(?:an?|the)\s+(?=\S)/i, '');

/**
 * Maps phrases to a list of classes: a phrase that is a class name (without article, in any case, singular or plural), else
 * the class that its head noun names, else none.
 */
export class ClassMapping {
  private readonly byName = new Map<string, string>();
  private readonly known = new Map<string, string | undefined>();

  constructor(readonly classes: readonly string[]) {
    // The first of two classes with the same spelling counts.
    for (const name of [...classes].reverse()) this.byName.set(normalized(name), name);
  }

  /** The class of a phrase; undefined if it names none. */
  classOf(phrase: string): string | undefined {
    if (!this.known.has(phrase)) this.known.set(phrase, this.exact(labelOfPhrase(phrase)) ?? this.byHead(phrase));
    return this.known.get(phrase);
  }

  private exact(text: string): string | undefined {
    const name = normalized(text);
    const found =
      this.byName.get(name) ??
      singulars(name)
        .map((one) => this.byName.get(one))
        .find((one) => one !== undefined);
    return found ?? this.byName.get(`${name}s`);
  }

  /** The class that ends the head of the phrase, the longest first: "traffic light" for "a red traffic light on a pole". */
  private byHead(phrase: string): string | undefined {
    const [first] = captionPhrases(phrase);
    if (first === undefined) return undefined;
    const head = phrase.slice(first.start, first.end).replace(/\s+of\s.*$/is, '');
    const words = labelOfPhrase(head).split(/\s+/);
    for (let from = 0; from < words.length; from++) {
      const found = this.exact(words.slice(from).join(' '));
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

const normalized = (name: string): string =>
  name
    .trim()
    .toLowerCase()
    .replaceAll(/[\s_-]+/g, ' ');

const singulars = (name: string): string[] => [
  ...(name.endsWith('ies') ? [`${name.slice(0, -3)}y`] : []),
  ...(/(?:s|x|z|ch|sh)es$/.test(name) ? [name.slice(0, -2)] : []),
  ...(/[^s]s$/.test(name) ? [name.slice(0, -1)] : []),
];
