import { MdetrError } from '../../errors.ts';

/** How pixels are turned: `exif` applies the EXIF orientation of the file, `stored` leaves them as they are stored. */
export type Orientation = 'exif' | 'stored';

/** All values of `Orientation`. */
export const ORIENTATIONS = ['exif', 'stored'] as const satisfies readonly Orientation[];

/** Width and height in pixels. */
export interface PixelSize {
  /** Width in pixels. */
  readonly width: number;
  /** Height in pixels. */
  readonly height: number;
}

export interface OrientationRule {
  /** Overrides the rule. */
  readonly orientation?: Orientation | undefined;
  /** Size of the image in its annotation row; a width of 0 means that the row does not state it. */
  readonly rowSize?: PixelSize | undefined;
}

/** EXIF orientations from this one on exchange width and height. */
const FIRST_TRANSPOSED = 5;

/** Size of an image after its EXIF orientation is applied. */
export const turnedSize = ({ width, height }: PixelSize, exif: number): PixelSize =>
  exif >= FIRST_TRANSPOSED ? { width: height, height: width } : { width, height };

/**
 * Decides whether EXIF orientation is applied to an image. The width and height of its annotation row tell what the boxes
 * refer to: the pixels as stored, or as turned. Where both have the same size, and for images without a row, the pixels
 * are turned, as image viewers show them.
 *
 * @param stored size of the stored pixels
 * @param exif EXIF orientation, 1 to 8; 1 for none
 * @returns `note`: a reason to look at the boxes of this image
 * @throws {MdetrError} if the row states neither size
 */
export const decideOrientation = (
  stored: PixelSize,
  exif: number,
  { orientation, rowSize }: OrientationRule,
): { readonly orientation: Orientation; readonly note?: string | undefined } => {
  if (orientation !== undefined) return { orientation };
  if (rowSize === undefined || rowSize.width === 0 || rowSize.height === 0) return { orientation: 'exif' };
  const turned = turnedSize(stored, exif);
  const isStored = isSameSize(rowSize, stored);
  const isTurned = isSameSize(rowSize, turned);
  if (isTurned)
    return {
      orientation: 'exif',
      note:
        isStored && exif > 1
          ? `has EXIF orientation ${exif}, and its size does not tell whether its boxes refer to the turned or to the ` +
            'stored pixels: it is turned (--orientation stored leaves it)'
          : undefined,
    };
  if (isStored) return { orientation: 'stored' };
  const sizes = isSameSize(stored, turned)
    ? sizeText(stored)
    : `${sizeText(stored)} as stored and ${sizeText(turned)} as turned by EXIF`;
  throw new MdetrError(
    `is ${sizes}, but its row says ${sizeText(rowSize)}: it is another image, or was resized; fix width and height of the ` +
      'row and its boxes, or pass --orientation exif or stored to ignore the difference',
  );
};

const isSameSize = (a: PixelSize, b: PixelSize): boolean => a.width === b.width && a.height === b.height;

const sizeText = ({ width, height }: PixelSize): string => `${width} x ${height}`;
