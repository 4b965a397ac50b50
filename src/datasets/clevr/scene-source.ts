import { z } from 'zod';
import { checked } from '../checked.ts';
import { readJsonLists, type JsonReadOptions } from '../json-entries.ts';
import { JsonRanges } from '../json-ranges.ts';

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
        /** CLEVR-Ref+: the object's number in `obj_bbox` and `obj_mask`, from 1. */
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

const numberOnly = z.object({ image_index: z.int() });

/** The scenes of a file of any size, by image number. One is in memory at a time. */
export class ClevrScenes {
  readonly path: string;
  private readonly places = new Map<number, readonly [begin: number, end: number]>();
  private readonly ranges: JsonRanges;
  private latest: ClevrSourceScene | undefined;

  /** Reads through the file once. `close` it afterwards. */
  constructor(path: string, options: JsonReadOptions = {}) {
    this.path = path;
    for (const { place, value, begin, end } of readJsonLists(path, ['scenes'], options))
      this.places.set(checked(numberOnly, value, `${path}: ${place}`).image_index, [begin, end]);
    this.ranges = new JsonRanges(path);
  }

  /** The scene's first one, to see what the file has. */
  get first(): ClevrSourceScene | undefined {
    const number = this.places.keys().next().value;
    return number === undefined ? undefined : this.of(number);
  }

  of(imageIndex: number): ClevrSourceScene | undefined {
    // Questions about an image stand together.
    if (this.latest?.image_index === imageIndex) return this.latest;
    const range = this.places.get(imageIndex);
    if (range === undefined) return undefined;
    const where = `${this.path}: the scene of image ${imageIndex}`;
    this.latest = checked(sceneSchema, this.ranges.value(...range), where);
    return this.latest;
  }

  close(): void {
    this.ranges.close();
  }
}
