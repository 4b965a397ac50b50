import { Option } from 'commander';
import { ORIENTATIONS } from '../../data/images/orientation.ts';

const orientationOption = (byDefault: string): Option =>
  new Option(
    '--orientation <kind>',
    `exif turns images by their EXIF orientation, stored leaves the pixels as stored (default: ${byDefault})`,
  ).choices(ORIENTATIONS);

/** `--orientation` of commands that look at images without annotations. */
export const imageOrientationOption = (): Option => orientationOption('exif');

/** `--orientation` of commands that read annotation rows. */
export const rowOrientationOption = (): Option => orientationOption("the size in an image's row decides");
