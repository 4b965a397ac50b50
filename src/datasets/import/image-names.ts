import { basename } from 'node:path';

const IMAGE_FILE = /\.(jpe?g|jfif|png|webp|gif|tiff?|avif|bmp|heic|heif)$/i;

/** Whether a path ends like an image file. */
export const isImageFile = (path: string): boolean => IMAGE_FILE.test(path);

/** File name without folders and without the ending of an image file. */
export const imageStem = (path: string): string => basename(path.replaceAll('\\', '/')).replace(IMAGE_FILE, '');

/** Components of a path with any separators, without empty ones and `.`. */
export const pathComponents = (path: string): string[] =>
  path.split(/[\\/]+/).filter((part) => part !== '' && part !== '.');

/**
 * Spellings under which the image of a reference may be stored, the most literal one first: as written, without the query
 * of an address, with percent escapes decoded, the file of Label Studio's `?d=` addresses, and without the random prefix
 * that Label Studio adds to uploaded files.
 */
export const imageSpellings = (reference: string): string[] => {
  const spellings = new Set([reference]);
  const query = /[?&]d=([^&#]+)/.exec(reference)?.[1];
  if (query !== undefined) spellings.add(decoded(query.replaceAll('+', ' ')));
  const isAddress = /^[a-z][a-z0-9+.-]+:\/\//i.test(reference) || reference.startsWith('/');
  const withoutQuery = isAddress ? reference.replace(/[?#].*$/, '') : reference;
  spellings.add(withoutQuery);
  for (const spelling of [...spellings]) spellings.add(decoded(spelling));
  for (const spelling of [...spellings]) {
    const stripped = spelling.replace(/(^|[\\/])[0-9a-f]{8}-(?=[^\\/]+$)/, '$1');
    spellings.add(stripped);
  }
  for (const spelling of [...spellings])
    for (const form of ['NFC', 'NFD'] as const) spellings.add(spelling.normalize(form));
  spellings.delete('');
  return [...spellings];
};

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // A percent sign that is part of the name.
  }
};

/**
 * Name that near-duplicates of one image share: augmented copies of Roboflow (`a_jpg.rf.HASH.jpg`), copies
 * (`a - Copy.jpg`) and copies named after an augmentation (`a_flip.jpg`, `a_aug3.png`). Numbers in brackets (`a (2).jpg`)
 * stay: browsers number unrelated downloads so.
 */
export const nearDuplicateStem = (path: string): string => {
  const stem = imageStem(path).toLowerCase();
  const roboflow = stem.split('.rf.')[0]!.replace(/_(jpe?g|png|bmp|webp|tiff?)$/, '');
  const original = roboflow
    .replace(/( - copy.*|[ _-]copy ?\d*)$/, '')
    .replace(
      /([_-](aug(mented)?|[hv]?flip(ped)?|rot(ated)?|mirror(ed)?|blur(red)?|noisy?|bright(er)?|dark(er)?)[_-]?\d*)+$/,
      '',
    );
  return original === '' ? stem : original;
};
