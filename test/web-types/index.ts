/**
 * Types of `mdetr/web`, checked by the compiler with the DOM's types and without Node's (`tsconfig.browser.json`). Nothing
 * runs this file; the types of the other entry points are in `test/api/public-types.test.ts`.
 */
import type * as web from '../../src/web/index.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const expectType = <Check extends true>(): Check | undefined => undefined;

export const calls = async (model: web.MDETR, photo: File, canvas: web.DrawingCanvas): Promise<void> => {
  const one = await model.detect(photo, 'a red cube');
  const several = await model.detect(photo, ['a red cube', 'a dog']);
  const best = await model.refer(photo, 'the cube');
  const answer = await model.ask(photo, 'How many?');
  const encoded = await model.encodeImage(photo);
  expectType<Equal<typeof one, web.DetectionResult>>();
  expectType<Equal<typeof several, web.DetectionResult[]>>();
  expectType<Equal<typeof best, web.ReferResult>>();
  expectType<Equal<typeof answer, web.AnswerResult>>();
  expectType<Equal<typeof encoded, web.EncodedImage>>();
  expectType<Equal<Awaited<ReturnType<typeof web.MDETR.fromPretrained>>, web.MDETR>>();
  expectType<Equal<Awaited<ReturnType<typeof web.cachedWeights>>, web.CachedWeights[]>>();
  expectType<Equal<Parameters<typeof web.drawDetections>[0], typeof canvas>>();
  // @ts-expect-error an option's name is wrong
  await model.detect(photo, 'a red cube', { treshold: 0.5 });
};
