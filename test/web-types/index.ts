/**
 * Types of `mdetr/web`, checked by the compiler with the DOM's types and without Node's (`tsconfig.browser.json`). Nothing
 * runs this file; the types of the other entry points are in `test/api/public-types.test.ts`.
 */
import type * as web from '../../src/web/index.ts';

interface Results {
  readonly one: web.DetectionResult;
  readonly several: readonly web.DetectionResult[];
  readonly best: web.ReferResult;
  readonly answer: web.AnswerResult;
  readonly encoded: web.EncodedImage;
}

export const calls = async (model: web.MDETR, photo: File): Promise<Results> => {
  // @ts-expect-error an option's name is wrong
  await model.detect(photo, 'a red cube', { treshold: 0.5 });
  // @ts-expect-error several texts give an array
  const _one: web.DetectionResult = await model.detect(photo, ['a red cube']);
  return {
    one: await model.detect(photo, 'a red cube'),
    several: await model.detect(photo, ['a red cube', 'a dog']),
    best: await model.refer(photo, 'the cube'),
    answer: await model.ask(photo, 'How many?'),
    encoded: await model.encodeImage(photo),
  };
};

export const load = (load: typeof web.MDETR.fromPretrained): Promise<web.MDETR> =>
  load('models/default', { onProgress: ({ name }) => name.toUpperCase() });

export const drawOn = (draw: typeof web.drawDetections, canvas: web.DrawingCanvas, image: web.RawImage): void =>
  draw(canvas, image, { caption: 'a red cube', detections: [] });
