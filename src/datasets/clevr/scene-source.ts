import * as z from 'zod';
import { BadRowError, type BadRows } from '../source/bad-rows.ts';
import { checked } from '../source/checked.ts';
import { readJsonLists, type JsonReadOptions } from '../source/json-entries.ts';
import { JsonRanges } from '../source/json-ranges.ts';

const box = z.array(z.number()).length(4);

const sceneSchema = z
  .object({
    image_index: z.int(),
    image_filename: z.string(),
    objects: z.array(
      z.object({
        shape: z.string(),
        size: z.string(),
        material: z.string(),
        color: z.string(),
        '3d_coords': z.array(z.number()).length(3).optional(),
        pixel_coords: z.array(z.number()).length(3).optional(),
        rotation: z.number().default(0),
        bbox: box.optional(),
        /** CLEVR-Ref+: one-based index of the object in `obj_bbox` and `obj_mask`. */
        idx: z.int().optional(),
      }),
    ),
    relationships: z.record(z.string(), z.array(z.array(z.int()))),
    directions: z.record(z.string(), z.array(z.number())).default({}),
    obj_bbox: z.record(z.string(), box).optional(),
    obj_mask: z.record(z.string(), z.string()).optional(),
  })
  .check(({ value, issues }) => {
    const count = value.objects.length;
    for (const [direction, lists] of Object.entries(value.relationships))
      if (lists.length !== count || lists.some((list) => list.some((object) => object < 0 || object >= count)))
        issues.push({
          code: 'custom',
          input: lists,
          path: ['relationships', direction],
          message: `must list some of the ${count} objects for each of them`,
        });
  });

/** An entry of a CLEVR or CLEVR-Ref+ `scenes.json`. */
export type ClevrSourceScene = z.output<typeof sceneSchema>;

const indexOnly = z.object({ image_index: z.int() });

/** Random access to the scenes of a file of any size, by image index. One scene is in memory at a time. */
export class ClevrScenes {
  readonly path: string;
  private readonly rangeOf = new Map<number, readonly [begin: number, end: number]>();
  private readonly ranges: JsonRanges;
  private latest: ClevrSourceScene | undefined;

  /** Scans the file once. Call `close` when done. */
  constructor(path: string, badRows: BadRows, options: JsonReadOptions = {}) {
    this.path = path;
    for (const { location, value, begin, end } of readJsonLists(path, ['scenes'], options))
      badRows.attempt(() =>
        this.rangeOf.set(checked(indexOnly, value, `${path}: ${location}`).image_index, [begin, end]),
      );
    this.ranges = new JsonRanges(path);
  }

  /** The first scene of the file that can be used, which shows what its scenes contain. */
  get first(): ClevrSourceScene | undefined {
    for (const index of this.rangeOf.keys()) {
      try {
        return this.of(index);
      } catch (error) {
        // Reported with the texts about it.
        if (!(error instanceof BadRowError)) throw error;
      }
    }
    return undefined;
  }

  /** Scene of an image; undefined if there is none. @throws {BadRowError} naming the first wrong field */
  of(imageIndex: number): ClevrSourceScene | undefined {
    // Questions about the same image are adjacent.
    if (this.latest?.image_index === imageIndex) return this.latest;
    const range = this.rangeOf.get(imageIndex);
    if (range === undefined) return undefined;
    const location = `${this.path}: the scene of image ${imageIndex}`;
    this.latest = checked(sceneSchema, this.ranges.value(...range), location);
    return this.latest;
  }

  close(): void {
    this.ranges.close();
  }
}
