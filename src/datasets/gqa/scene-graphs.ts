import * as z from 'zod';
import { checked } from '../source/checked.ts';
import { JsonDictionary } from '../source/json-dictionary.ts';

const sceneGraphSchema = z.object({
  width: z.number().positive(),
  height: z.number().positive(),
  objects: z.record(z.string(), z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() })),
});

/** Scene graph of an image of GQA. */
export interface SceneGraph {
  readonly width: number;
  readonly height: number;
  readonly objects: ReadonlyMap<
    string,
    { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  >;
}

/**
 * Reads the scene graph of one image; undefined if the file has none.
 * @throws {MdetrError} naming the first wrong field
 */
export const sceneGraphOf = (graphs: JsonDictionary, imageId: string): SceneGraph | undefined => {
  const entry = graphs.get(imageId);
  if (entry === undefined) return undefined;
  const { width, height, objects } = checked(sceneGraphSchema, entry.value, entry.location);
  return { width, height, objects: new Map(Object.entries(objects)) };
};
