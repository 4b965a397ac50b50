/** First number of ids that are texts. Ids that are numbers are smaller. */
const FIRST_TEXT_ID = 2 ** 52;

/** An integer as a text, without leading zeros: `"17"` is the id 17. */
const INTEGER_TEXT = /^(0|-?[1-9]\d{0,14})$/;

/** Whether an id that is a text is that of an integer, as some tools write them. */
export const isIntegerText = (id: string): boolean => INTEGER_TEXT.test(id);

/** Whether the number of an id stands for a text. */
export const isTextIdNumber = (id: number): boolean => id >= FIRST_TEXT_ID;

/**
 * Numbers of ids that are texts, one table for all lists of a file. The text of an integer is that integer; other texts
 * (UUIDs, file names) are numbered in the order in which they first occur.
 */
export class TextIds {
  private readonly numbers = new Map<string, number>();
  private readonly texts: string[] = [];

  numberOf(id: string): number {
    if (isIntegerText(id)) return Number(id);
    let number = this.numbers.get(id);
    if (number === undefined) {
      number = FIRST_TEXT_ID + this.texts.length;
      this.texts.push(id);
      this.numbers.set(id, number);
    }
    return number;
  }

  /** The id that has a number: its text, or the number itself. */
  idOf(number: number): number | string {
    return isTextIdNumber(number) ? (this.texts[number - FIRST_TEXT_ID] ?? number) : number;
  }
}

/** An image whose id is the text with a number: it gets the number as its id and keeps the text. Undefined for other images. */
export const withNumberOfText = (image: { readonly id?: unknown }, number: number): object | undefined => {
  const { id } = image;
  if (typeof id !== 'string') return undefined;
  if (isTextIdNumber(number)) return isIntegerText(id) ? undefined : { ...image, original_id: id, id: number };
  return Number(id) === number ? { ...image, id: number } : undefined;
};

/** Gives an annotation the number of its image's id, if it states that id. Returns whether it does. */
export const takeImageId = (annotation: { image_id?: unknown }, image: unknown, number: number): boolean => {
  const { image_id: own } = annotation;
  if (own === number) return true;
  if (typeof own !== 'string') return false;
  const stated = isTextIdNumber(number) ? (image as { original_id?: unknown }).original_id : String(number);
  annotation.image_id = number;
  return own === stated;
};
