import { z } from 'zod';
import { checked } from '../checked.ts';
import { JsonDictionary } from '../json-dictionary.ts';

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

/** An image's scene graph out of GQA's file. */
export const sceneGraphOf = (graphs: JsonDictionary, imageId: string): SceneGraph | undefined => {
  const entry = graphs.get(imageId);
  if (entry === undefined) return undefined;
  const { width, height, objects } = checked(sceneGraphSchema, entry.value, entry.place);
  return { width, height, objects: new Map(Object.entries(objects)) };
};
