import { maskOf } from '../data/scenes/masks.ts';
import type { RenderedScene } from '../data/scenes/scene.ts';
import type { SceneText } from '../data/scenes/texts.ts';
import { collateImages } from '../data/collate.ts';
import { clevrAnswerTypes, clevrAttributes } from '../evaluation/answer-vocabulary.ts';
import { joinTargets, type AnswerLabels, type LossConfig, type SampleTarget } from '../losses/index.ts';
import { createPositiveMap, encodeBatch, type Encoding, type Tokenizer } from '../text/index.ts';
import type { TrainBatch } from './train-step.ts';

/** A scene and the texts about it that are trained together: they share the backbone's pass. */
export interface SceneWithTexts {
  readonly scene: RenderedScene;
  readonly texts: readonly SceneText[];
}

/** Makes a training batch of scenes: boxes, spans, masks, which box is meant, and answers. */
export const sceneBatch = (items: readonly SceneWithTexts[], tokenizer: Tokenizer, config: LossConfig): TrainBatch => {
  const images = collateImages(items.map(({ scene }) => scene.image));
  const rows = items.flatMap(({ scene, texts }, image) => texts.map((text) => ({ scene, text, image })));
  const { inputIds, attentionMask, encodings, B, T } = encodeBatch(
    tokenizer,
    rows.map(({ text }) => text.text),
    { truncation: 'end' },
  );
  const targets = rows.map(({ scene, text }, row) => targetOf(scene, text, encodings[row]!, config));
  return {
    inputs: {
      image: { dtype: 'float32', shape: [images.batch, 3, images.height, images.width], data: images.tensors },
      padding: { dtype: 'bool', shape: [images.batch, images.height, images.width], data: images.mask },
      image_index: { dtype: 'int32', shape: [B], data: Int32Array.from(rows, ({ image }) => image) },
      input_ids: { dtype: 'int32', shape: [B, T], data: inputIds },
      attention_mask: { dtype: 'int32', shape: [B, T], data: attentionMask },
    },
    targets: joinTargets(targets, { encodings, tokens: T }, config),
    ...(config.do_qa ? { answers: answerLabels(rows.map(({ text }) => text)) } : {}),
    ids: rows.map(({ scene, text }) => `scene ${scene.index}: ${text.text}`),
  };
};

/** The objects that a text speaks of, each with its phrases. */
const targetOf = (scene: RenderedScene, text: SceneText, encoding: Encoding, config: LossConfig): SampleTarget => {
  const { width, height } = scene.image;
  const mentioned = [...new Set(text.phrases.flatMap(({ objects }) => objects))].sort((a, b) => a - b);
  const spans = mentioned.map((object) =>
    text.phrases.filter(({ objects }) => objects.includes(object)).map(({ start, end }) => [start, end] as const),
  );
  const boxes = mentioned.flatMap((object) => {
    const [x0, y0, x1, y1] = scene.objects[object]!.box;
    return [(x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height];
  });
  return {
    boxesCxcywh: Float32Array.from(boxes),
    positiveRows: createPositiveMap(encoding, spans),
    tokensPositive: spans,
    isFinal: mentioned.map((object) => Number(text.kind === 'expression' && object === text.target)),
    ...(config.mask_model === 'none' ? {} : { masks: { data: joinMasks(scene, mentioned), width, height } }),
  };
};

const joinMasks = (scene: RenderedScene, objects: readonly number[]): Uint8Array => {
  const area = scene.width * scene.height;
  const joined = new Uint8Array(objects.length * area);
  objects.forEach((object, index) => joined.set(maskOf(scene, object), index * area));
  return joined;
};

const noLabel = -100;

/** CLEVR's labels: which kind of answer, and the answer of that kind; none for texts that ask nothing. */
const answerLabels = (texts: readonly SceneText[]): AnswerLabels => {
  const column = (label: (answer: string) => number): number[] =>
    texts.map((text) => (text.kind === 'question' ? label(text.answer) : noLabel));
  const isBinary = (answer: string): boolean => answer === 'yes' || answer === 'no';
  const isNumber = (answer: string): boolean => /^\d+$/.test(answer);
  return {
    answer_type: column((answer) =>
      clevrAnswerTypes.indexOf(isBinary(answer) ? 'binary' : isNumber(answer) ? 'reg' : 'attr'),
    ),
    answer_binary: column((answer) => (isBinary(answer) ? Number(answer === 'yes') : noLabel)),
    answer_attr: column((answer) => (isBinary(answer) || isNumber(answer) ? noLabel : clevrAttributes.indexOf(answer))),
    answer_reg: column((answer) => (isNumber(answer) ? Number(answer) : noLabel)),
  };
};
