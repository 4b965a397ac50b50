import { excerpt } from '../../errors.ts';

/** First integer that stands for a string id. Integer ids are smaller. */
const FIRST_STRING_ID = 2 ** 52;

/** An integer as a string, without leading zeros: `"17"` is the id 17. */
const INTEGER_STRING = /^(0|-?[1-9]\d{0,14})$/;

/** Whether a string id is an integer, as some tools write them. */
const isIntegerString = (id: string): boolean => INTEGER_STRING.test(id);

/** Whether an integer stands for a string id. */
const isStringIdNumber = (id: number): boolean => id >= FIRST_STRING_ID;

/**
 * Integers for the string ids of a file, in one table for all its lists. The string of an integer becomes that integer; other
 * strings (UUIDs, file names) get integers in the order in which they first occur.
 */
export class StringIds {
  private readonly numbers = new Map<string, number>();
  private readonly strings: string[] = [];

  numberOf(id: string): number {
    if (isIntegerString(id)) return Number(id);
    let number = this.numbers.get(id);
    if (number === undefined) {
      number = FIRST_STRING_ID + this.strings.length;
      this.strings.push(id);
      this.numbers.set(id, number);
    }
    return number;
  }

  /** The original id: the string that the integer stands for, or the integer itself. */
  idOf(number: number): number | string {
    return isStringIdNumber(number) ? (this.strings[number - FIRST_STRING_ID] ?? number) : number;
  }
}

/** An image with a string id, with the integer as its id and the string as `original_id`. Undefined for other images. */
export const withNumberOfString = (image: { readonly id?: unknown }, number: number): object | undefined => {
  const { id } = image;
  if (typeof id !== 'string') return undefined;
  if (isStringIdNumber(number)) return isIntegerString(id) ? undefined : { ...image, original_id: id, id: number };
  return Number(id) === number ? { ...image, id: number } : undefined;
};

/** The id of an image as its file states it: a string where the image has an integer in place of one. */
export const statedImageId = ({ id, original_id: stated }: { id: number; original_id?: unknown }): number | string =>
  isStringIdNumber(id) && typeof stated === 'string' ? stated : id;

/** The stated id of an image in a message, cut where it is long. */
export const shownImageId = (image: { id: number; original_id?: unknown }): string =>
  excerpt(String(statedImageId(image)));

/** Sets `image_id` of an annotation to the integer of its image, if the annotation names that image. Returns whether it does. */
export const takeImageId = (annotation: { image_id?: unknown }, image: unknown, number: number): boolean => {
  const { image_id: own } = annotation;
  if (own === number) return true;
  if (typeof own !== 'string') return false;
  const stated = isStringIdNumber(number) ? (image as { original_id?: unknown }).original_id : String(number);
  annotation.image_id = number;
  return own === stated;
};
