import { concatValues } from '../../engine/graph/concat-values.ts';
import { dimKey, type HostTensor, type ProgramInput, type Shape } from '../../engine/graph/index.ts';
import type { Feeds } from '../../engine/runtime/runtime.ts';

/** Range of consecutive indices; `end` is not part of it. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** Part of a batch: consecutive images, and the captions about them. */
export interface BatchPart {
  readonly images: Range;
  readonly captions: Range;
}

/**
 * Divides a batch into parts that share no image, with about the same number of captions each.
 *
 * @param imageIndex (B) index of each caption's image
 * @param images number of images
 * @param count number of parts; fewer if the batch has too few images
 * @returns one part for a batch whose captions are not in the order of their images
 */
export const divideBatch = (imageIndex: ArrayLike<number>, images: number, count: number): readonly BatchPart[] => {
  const captions = imageIndex.length;
  const whole: BatchPart = { images: { start: 0, end: images }, captions: { start: 0, end: captions } };
  for (let caption = 1; caption < captions; caption++)
    if (imageIndex[caption]! < imageIndex[caption - 1]!) return [whole];
  /** First caption of each image, and of the one after the last. */
  const firsts: number[] = [];
  for (let image = 0, caption = 0; image <= images; image++) {
    while (caption < captions && imageIndex[caption]! < image) caption++;
    firsts.push(caption);
  }
  const parts: BatchPart[] = [];
  let image = 0;
  for (let part = Math.min(count, images); part > 0; part--) {
    const start = image;
    const wanted = Math.ceil((captions - firsts[start]!) / part);
    // Every part has an image, and leaves one for each of those after it; the last has all that are left.
    do image++;
    while (image <= images - part && (part === 1 || firsts[image + 1]! - firsts[start]! <= wanted));
    parts.push({ images: { start, end: image }, captions: { start: firsts[start]!, end: firsts[image]! } });
  }
  return parts;
};

/** Axis of a value along which a batch is divided, and what its entries belong to; undefined for values of the whole batch. */
const dividedAxis = (shape: Shape): { readonly axis: number; readonly kind: keyof BatchPart } | undefined => {
  for (const [kind, key] of [
    ['captions', 'batch'],
    ['images', 'images'],
  ] as const) {
    const axis = shape.findIndex((dim) => dimKey(dim) === key);
    if (axis >= 0) return { axis, kind };
  }
  return undefined;
};

/**
 * The entries of a value that belong to a part of its batch; a view where they are consecutive.
 *
 * @param shape symbolic shape of the value
 */
export const partOf = (value: HostTensor, shape: Shape, part: BatchPart): HostTensor => {
  const divided = dividedAxis(shape);
  if (divided === undefined) return value;
  const { start, end } = part[divided.kind];
  const { axis } = divided;
  const outer = value.shape.slice(0, axis).reduce((product, size) => product * size, 1);
  const inner = value.shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const [from, length] = [start * inner, (end - start) * inner];
  const own = value.shape.map((size, index) => (index === axis ? end - start : size));
  const stride = value.shape[axis]! * inner;
  const rows = Array.from({ length: outer }, (_, row) =>
    value.data.subarray(row * stride + from, row * stride + from + length),
  );
  const data = rows.length === 1 ? rows[0]! : joined(rows);
  return { ...value, shape: own, data } as HostTensor;
};

/**
 * Joins the values of the parts of a batch.
 *
 * @param shape symbolic shape of the values
 */
export const joinParts = (values: readonly HostTensor[], shape: Shape): HostTensor => {
  const [first] = values;
  const divided = dividedAxis(shape);
  if (values.length === 1 || divided === undefined) return first!;
  const { axis } = divided;
  const outer = first!.shape.slice(0, axis).reduce((product, size) => product * size, 1);
  const pieces: HostTensor['data'][] = [];
  for (let row = 0; row < outer; row++)
    for (const { data } of values) {
      const length = data.length / outer;
      pieces.push(data.subarray(row * length, (row + 1) * length));
    }
  const size = values.reduce((sum, value) => sum + value.shape[axis]!, 0);
  const own = first!.shape.map((dim, index) => (index === axis ? size : dim));
  return { ...first!, shape: own, data: joined(pieces) } as HostTensor;
};

const joined = (pieces: readonly HostTensor['data'][]): HostTensor['data'] =>
  concatValues(pieces[0]!.constructor as typeof Float32Array, pieces as readonly Float32Array[]);

/** The inputs of a program for a part of a batch. */
export const inputsOfPart = (inputs: readonly ProgramInput[], values: Feeds, part: BatchPart): Feeds => {
  const own = Object.fromEntries(
    inputs.flatMap(({ name, tensor }) =>
      values[name] === undefined ? [] : [[name, partOf(values[name], tensor.shape, part)]],
    ),
  );
  const index = own['image_index'];
  if (index === undefined) return own;
  const data = (index.data as Int32Array).map((image) => image - part.images.start);
  return { ...own, image_index: { ...index, data } as HostTensor };
};
