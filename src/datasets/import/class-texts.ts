import type { PlacedObject } from './placed-images.ts';

/** Longest word that is taken for an acronym when all its letters are capitals. */
const MAX_ACRONYM = 5;
/** Longest attribute value that becomes a part of a phrase, in words. */
const MAX_ATTRIBUTE_WORDS = 3;

/** Attributes that become part of the phrases: none, all, or those with the given names. */
export type AttributeChoice = 'none' | 'all' | readonly string[];

/**
 * Words of a class name: `Early_blight` → `early blight`. Words are in lower case, except acronyms (`RBC`) of a set whose
 * names are not all in capitals.
 */
const classText = (label: string, keepAcronyms: boolean): string => {
  const words = label
    .normalize('NFC')
    .replace(/[\s_]+/g, ' ')
    // A full stop would end the phrase in a list of classes.
    .replace(/\.+(?=\s|$)/g, '')
    .trim()
    .split(' ');
  const text = words
    .map((word) => {
      const isAcronym =
        keepAcronyms && word.length <= MAX_ACRONYM && word.length > 1 && /\p{Lu}/u.test(word) && !/\p{Ll}/u.test(word);
      return isAcronym ? word : word.toLowerCase();
    })
    .join(' ');
  return text === '' ? label.trim() : text;
};

/** Phrases of the classes of a source: names that differ only in case are one class. */
export class ClassTexts {
  private readonly byLabel = new Map<string, string>();
  private readonly attributes: AttributeChoice;

  /** @param labels all class names of the source, as it spells them */
  constructor(labels: Iterable<string>, attributes: AttributeChoice) {
    this.attributes = attributes;
    const all = [...labels];
    const keepAcronyms =
      all.some((label) => /\p{Ll}/u.test(label)) || all.every((label) => label.length <= MAX_ACRONYM);
    const byKey = new Map<string, string>();
    for (const label of all) {
      const text = classText(label, keepAcronyms);
      const known = byKey.get(text.toLowerCase()) ?? text;
      byKey.set(text.toLowerCase(), known);
      this.byLabel.set(label, known);
    }
  }

  /** Phrase of a class. */
  textOf(label: string): string {
    return this.byLabel.get(label) ?? classText(label, false);
  }

  /** Phrase of an object: its class, with the attributes that were asked for before it (`red car`). */
  phraseOf({ label, attributes = {} }: PlacedObject): string {
    const words = Object.entries(attributes).flatMap(([name, value]) => {
      if (this.attributes === 'none' || (this.attributes !== 'all' && !this.attributes.includes(name))) return [];
      if (/^(true|yes|1)$/i.test(value)) return [classText(name, false)];
      const isShort = value.trim().split(/\s+/).length <= MAX_ATTRIBUTE_WORDS;
      return /^(false|no|0|none|null|undefined|n\/a|-|)$/i.test(value.trim()) || !isShort
        ? []
        : [classText(value, false)];
    });
    return [...new Set(words), this.textOf(label)].join(' ');
  }
}
