import type { BoxXywh } from '../../geometry/boxes.ts';
import type { PackedCocoRle } from '../../geometry/run-lengths.ts';
import type { Remarks } from '../preparation/remarks.ts';

/** One object of an image, as annotation formats hold it. */
export interface ExportedObject {
  /** Class name: the best phrase without its article, or the class that it was mapped to. */
  readonly label: string;
  /** Box in pixels, inside the image. */
  readonly bbox: BoxXywh;
  /** Score in 0 to 1, for formats that hold one. */
  readonly score?: number | undefined;
  /** Mask at the size of the image. */
  readonly mask?: PackedCocoRle | undefined;
  /** All phrases that the object stands for, best first, as the caption spells them. */
  readonly phrases: readonly string[];
}

/** One image with all its objects. */
export interface ExportedImage {
  /** Path or name of the image as it was given, with `/` as separator. */
  readonly name: string;
  /** Width in pixels. */
  readonly width: number;
  /** Height in pixels. */
  readonly height: number;
  /** Captions that were asked about the image. */
  readonly captions: readonly string[];
  /** Detections of all captions. */
  readonly objects: readonly ExportedObject[];
}

/** Forms in which masks are written. */
export type MaskForm = 'polygons' | 'rle';

/** Settings of an export, for its writer. */
export interface ExportContext {
  /** Classes in the order of their ids. Labels that are not in it are added. */
  readonly classes: ClassList;
  /** Form of masks; formats with one form only ignore it. */
  readonly masks: MaskForm | undefined;
  /** Path of a COCO file that gives the ids of images and categories. */
  readonly annotations?: string | undefined;
  /** Text before the path of an image, for tools that load images from a server. */
  readonly imagePrefix?: string | undefined;
  /** Name of the model, where the format has a place for it. */
  readonly model: string;
  /** Receives what the format cannot hold. */
  readonly dropped: Remarks;
}

/** Writer of one export in progress. */
export interface ExportWriter {
  /** Writes one image. */
  add(image: ExportedImage): Promise<void>;
  /** Completes the export. Without this call nothing, or only whole files of images, were written. */
  finish(): Promise<void>;
  /** Gives up; temporary files are removed. */
  abort(): Promise<void>;
}

/**
 * Writer of one annotation format, the counterpart of an importer. Images come one by one, so memory does not grow with
 * their number.
 */
export interface Exporter {
  /** Name on the command line, such as `coco`. */
  readonly name: string;
  /** Title for messages and help, such as `COCO data set`. */
  readonly title: string;
  /** Whether the path names one file, or a folder with files of fixed names or one for each image. */
  readonly target: 'file' | 'folder';
  /** Needs `annotations`. */
  readonly needsAnnotations?: boolean;
  /**
   * Begins an export.
   *
   * @param path file or folder to write
   * @throws {MdetrError} if a file cannot be written
   */
  open(path: string, context: ExportContext): Promise<ExportWriter>;
}

/** Class names and their ids, which count from 0. */
export class ClassList {
  private readonly ids = new Map<string, number>();

  constructor(names?: readonly string[]) {
    names?.forEach((name, id) => this.ids.set(name, id));
  }

  /** Names of the classes in the order of their ids. */
  get names(): readonly string[] {
    return [...this.ids.keys()];
  }

  /** Id of a class; a new one gets the next id. */
  idOf(name: string): number {
    const known = this.ids.get(name);
    if (known !== undefined) return known;
    this.ids.set(name, this.ids.size);
    return this.ids.size - 1;
  }
}
