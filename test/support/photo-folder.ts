import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { scene, type CommandLine } from './run-mdetr.ts';

/** Images of the folder `photos`. The last two are in its subfolder `more`, and `image-3.png` is damaged. */
export const PHOTO_NAMES: readonly string[] = Array.from({ length: 9 }, (_, i) => `image-${i}.png`);

/** Call that detects the captions of `captions.txt` in all images of the folder. */
export const PHOTOS_CALL = ['detect', 'photos', '--recursive', '--caption', '@captions.txt', '--batch-size', '2'];

/** Makes the folder `photos`, and `captions.txt` with two captions, in the folder of a command line. */
export const makePhotoFolder = (cli: CommandLine): void => {
  mkdirSync(cli.file('photos/more'), { recursive: true });
  PHOTO_NAMES.forEach((name, i) => copyFileSync(scene, cli.file(`photos/${i > 6 ? 'more/' : ''}${name}`)));
  writeFileSync(cli.file('photos/image-3.png'), readFileSync(scene).subarray(0, 2000));
  writeFileSync(cli.file('captions.txt'), '\ufeffa red cube\r\n\r\na ball\n');
};

/** Results of a file with one in each line: `image caption index` of each. */
export const resultKeys = (path: string): string[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => {
      const { image, captionIndex } = JSON.parse(line) as { image: string; captionIndex: number };
      return `${image} ${captionIndex}`;
    });
