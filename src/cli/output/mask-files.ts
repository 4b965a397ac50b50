import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { maskToDense, unpackMask } from '../../geometry/run-lengths.ts';
import type { DetectedObject } from '../../results/types.ts';
import { replaceFile } from '../../files/atomic-file.ts';
import { NameTable } from '../../files/name-table.ts';
import { makeFolder } from '../../files/make-folder.ts';
import type { OutputRule } from '../../files/output-rule.ts';
import { stemOf, type NamedImages } from './output-paths.ts';

/**
 * Writes masks as grayscale PNG files of the image's size, 255 inside the mask. They are named
 * `DIR/IMAGE[-CAPTION]-RANK.png`, where the rank of the best detection is 1.
 */
export class MaskFiles {
  /** Number of results that had a name. */
  private readonly taken = new NameTable();

  private constructor(
    private readonly folder: string,
    private readonly captionCount: number,
    private readonly rule: OutputRule,
  ) {}

  /**
   * @param images images whose masks are written
   * @param rule checks the paths
   * @throws {UsageError} if the folder has masks of the images already and `rule` forbids to replace them
   */
  static async plan(folder: string, images: NamedImages, captionCount: number, rule: OutputRule): Promise<MaskFiles> {
    const masks = new MaskFiles(folder, captionCount, rule);
    const filesOf = new Map<string, string[]>();
    for (const name of existsSync(folder) ? readdirSync(folder) : []) {
      const [, stem] = /^(.*?)(?:-\d+)?(?:_\d+)?-\d{2,}\.png$/.exec(name) ?? [];
      if (stem !== undefined) filesOf.set(stem, [...(filesOf.get(stem) ?? []), name]);
    }
    if (filesOf.size === 0) return masks;
    for await (const image of images.names()) {
      const stem = stemOf(image);
      for (const name of filesOf.get(stem) ?? []) rule.derived(join(folder, name), `--masks-dir ${folder}`);
      filesOf.delete(stem);
    }
    return masks;
  }

  close(): void {
    this.taken.close();
  }

  async write(image: string, captionIndex: number, detections: readonly DetectedObject[]): Promise<void> {
    await makeFolder(this.folder);
    const name = stemOf(image) + (this.captionCount > 1 ? `-${captionIndex + 1}` : '');
    const before = this.taken.get(name) ?? 0;
    this.taken.set(name, before + 1);
    const prefix = before === 0 ? name : `${name}_${before + 1}`;
    for (const [index, { mask }] of detections.entries()) {
      if (mask === undefined) continue;
      const path = join(this.folder, `${prefix}-${String(index + 1).padStart(2, '0')}.png`);
      this.rule.checkInputs(path, `--masks-dir ${this.folder}`);
      await writePng(path, mask);
    }
  }
}

const writePng = async (path: string, mask: NonNullable<DetectedObject['mask']>): Promise<void> => {
  const [height, width] = mask.size;
  const pixels = maskToDense(unpackMask(mask)).map((bit) => bit * 255);
  const bytes = await sharp(pixels, { raw: { width, height, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toBuffer();
  await replaceFile(path, bytes);
};
