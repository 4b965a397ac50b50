import { MdetrError } from '../../../errors.ts';
import type { ImportedImage, ImportedObject, ImportOptions } from '../../import/importer.ts';
import { imageStem } from '../../import/image-names.ts';
import type { ImportSource } from '../../import/import-source.ts';
import { splitOfFolders } from '../../import/stated-split.ts';
import type { XmlElement } from '../../source/xml-tree.ts';
import { BadRowError } from '../../source/bad-rows.ts';
import { shortText } from '../field-numbers.ts';
import { objectOf } from './shape-object.ts';

/** Objects of a video's tracks by frame. Frames are images whose names end in their number: `frame_000012.png`. */
export class TrackFrames {
  private readonly objects = new Map<number, ImportedObject[]>();
  private readonly files = new Map<number, string>();
  private firstTrack: string | undefined;
  private readonly path: string;

  constructor(
    private readonly source: ImportSource,
    private readonly file: string,
  ) {
    this.path = source.pathOf(file);
    for (const image of source.images) {
      const stem = imageStem(image);
      const digits = /(\d+)$/.exec(stem)?.[1];
      if (digits === undefined) continue;
      const frame = Number(digits);
      // CVAT's own names come first where other images have numbers, too.
      if (!this.files.has(frame) || /^frame_\d+$/i.test(stem)) this.files.set(frame, image);
    }
  }

  /** True if there are no tracks. */
  get isEmpty(): boolean {
    return this.firstTrack === undefined;
  }

  /**
   * Adds the shapes of a track; those that are outside of the image do not count.
   * @throws {MdetrError} for a frame that is no number
   */
  add(track: XmlElement, options: ImportOptions): void {
    const location = `${this.path}: line ${track.line}`;
    this.firstTrack ??= location;
    const { label } = track.attributes;
    const addShape = (shape: XmlElement): void => {
      const place = `${this.path}: line ${shape.line}`;
      const { frame = '', outside } = shape.attributes;
      if (!/^\d{1,9}$/.test(frame)) throw new BadRowError(`${place}: frame is "${shortText(frame)}", not a number`);
      const own = this.objects.get(Number(frame)) ?? [];
      this.objects.set(Number(frame), own);
      const object = outside === '1' ? undefined : objectOf(shape, this.path, options, label);
      if (object !== undefined) own.push(object);
    };
    for (const shape of track.children) options.badRows.attempt(() => addShape(shape));
  }

  /** The frames as images. @throws {MdetrError} if none of them is there */
  *images(): Generator<ImportedImage> {
    if (this.firstTrack === undefined) return;
    if (![...this.objects.keys()].some((frame) => this.files.has(frame)))
      throw new MdetrError(
        `${this.firstTrack}: has tracks of a video (CVAT for video), whose frames are not there as images; ` +
          'export the task from CVAT with its images, or name the folder of the frames (frame_000000.png, …) with --images DIR',
      );
    for (const [frame, objects] of [...this.objects].sort(([a], [b]) => a - b))
      yield {
        fileName: `frame_${String(frame).padStart(6, '0')}`,
        path: this.files.get(frame),
        split: splitOfFolders(this.file),
        objects,
        location: objects[0]?.location ?? this.firstTrack,
      };
  }
}
