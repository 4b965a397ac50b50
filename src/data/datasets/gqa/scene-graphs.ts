import { z } from 'zod';
import { checked } from '../checked.ts';
import { readJsonDictionary } from '../json-entries.ts';
import { JsonRanges } from '../json-ranges.ts';
import type { PreparationProgress } from '../preparation.ts';
import { megabytes } from './grouped-questions.ts';

const sceneGraphSchema = z.object({
  width: z.number().positive(),
  height: z.number().positive(),
  objects: z.record(z.string(), z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() })),
});

export interface SceneGraph {
  readonly width: number;
  readonly height: number;
  readonly objects: ReadonlyMap<
    string,
    { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  >;
}

/** GQA's scene graphs by image. Only where each is in the file is held in memory. */
export class SceneGraphs {
  private readonly path: string;
  private readonly places = new Map<string, readonly [begin: number, end: number]>();
  private readonly ranges: JsonRanges;

  /** Reads through the file once. `close` it afterwards. */
  constructor(path: string, what: string, progress: PreparationProgress) {
    this.path = path;
    for (const { key, begin, end } of readJsonDictionary(path, megabytes(path, what, progress)))
      this.places.set(key, [begin, end]);
    this.ranges = new JsonRanges(path);
  }

  of(imageId: string): SceneGraph | undefined {
    const place = this.places.get(imageId);
    if (place === undefined) return undefined;
    const where = `${this.path} [${JSON.stringify(imageId)}]`;
    const { width, height, objects } = checked(sceneGraphSchema, this.ranges.value(...place), where);
    return { width, height, objects: new Map(Object.entries(objects)) };
  }

  close(): void {
    this.ranges.close();
  }
}
