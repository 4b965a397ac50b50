import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadTokenizer } from '../../text/node/tokenizer-files.ts';
import { smallConfig, smallDataset } from '../../../test/support/small-run.ts';
import type { DrawnScenes } from '../config/slices/datasets.ts';
import { AnnotationSource } from './annotation-source.ts';
import { clevrLabels, labelerFor } from './answer-labels.ts';
import { mapSize } from '../auxiliary/auxiliary-batch.ts';
import { auxiliaryInputs } from '../auxiliary/auxiliary-losses.ts';
import { NO_LABEL } from '../../losses/index.ts';
import type { ImageSample, SampleKey } from './sample-source.ts';
import { SceneSource } from './scene-source.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-scenes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const drawn: DrawnScenes = { seed: 5, start: 0, images: 20, split: 'standard', width: 96, height: 64, min_objects: 3, max_objects: 4 }; // prettier-ignore
const source = (more: Record<string, unknown> = {}): SceneSource => {
  const config = smallConfig(more);
  return new SceneSource(drawn, config, labelerFor(config, ''));
};
const keyOf = (more: Partial<SampleKey> = {}): SampleKey => ({ seed: 1, epoch: 0, pairsBefore: 0, ...more });
const captionsOf = ({ captions }: ImageSample): string[] => captions.map(({ caption }) => caption);
const tokenizer = await loadTokenizer('configs/scenes/plain-words', { maxTokens: 38 });

describe('scenes for training', () => {
  it('are the same for the same sample key, and differ in another epoch or for another seed', async () => {
    const first = await source().get(3, keyOf(), tokenizer);
    expect(await source().get(3, keyOf(), tokenizer)).toEqual(first);
    const others = [
      await source().get(3, keyOf({ epoch: 1 }), tokenizer),
      await source().get(3, keyOf({ seed: 2 }), tokenizer),
    ];
    expect(others.map(captionsOf)).not.toContainEqual(captionsOf(first));
    expect(first.id).toBe('scenes of seed 5, scene 3');
  });

  it('are flipped with the boxes and captions of the flipped scene', async () => {
    const plain = await source({ horizontal_flip_prob: 0 }).get(2, keyOf(), tokenizer);
    const flipped = await source({ horizontal_flip_prob: 1 }).get(2, keyOf(), tokenizer);
    const { width, height, data } = plain.image;
    for (const [x, y] of [
      [0, 5],
      [40, 30],
      [95, 63],
    ] as const)
      // prettier-ignore
      for (let channel = 0; channel < 3; channel++)
        expect(flipped.image.data[(y * width + (width - 1 - x)) * 3 + channel]).toBe(data[(y * width + x) * 3 + channel]);
    expect(height).toBe(64);
    const corners = (sample: ImageSample): number[] => [...sample.objects!.boxesXyxy];
    const expected = corners(plain).map((value, k, all) =>
      k % 4 === 0 ? 1 - all[k + 2]! : k % 4 === 2 ? 1 - all[k - 2]! : value,
    );
    corners(flipped).forEach((value, k) => expect(value).toBeCloseTo(expected[k]!, 5));
    expect([...flipped.objects!.attributes]).toEqual([...plain.objects!.attributes]);
  });

  it('have captions of the stage that the run is in', async () => {
    const texts = [{ until_pairs: 100, caption: 1 }, { caption: 0, question: 1 }]; // prettier-ignore
    const staged = source({ texts, do_qa: true, split_qa_heads: true, texts_per_image: 3 });
    const early = await staged.get(1, keyOf({ pairsBefore: 99 }), tokenizer);
    const late = await staged.get(1, keyOf({ pairsBefore: 100 }), tokenizer);
    expect(captionsOf(early).some((text) => text.includes('?'))).toBe(false);
    expect(captionsOf(late)).toHaveLength(3);
    for (const { caption, answers } of late.captions) {
      expect(caption).toMatch(/\?$/);
      expect(answers!['answer_type']).toBeGreaterThanOrEqual(0);
    }
    for (const { answers } of early.captions) expect(answers!['answer_type']).toBe(NO_LABEL);
  });

  it('have boxes within the image, spans within the caption, masks where masks are trained', async () => {
    const masks = source({ mask_model: 'smallconv', hidden_dim: 128, nheads: 8 });
    for (let row = 0; row < 5; row++) {
      const { captions } = await masks.get(row, keyOf(), tokenizer);
      for (const { caption, boxesCxcywh, tokensPositive, masks: own } of captions) {
        const count = tokensPositive.length;
        expect(boxesCxcywh).toHaveLength(4 * count);
        expect(boxesCxcywh.every((value) => value > 0 && value <= 1)).toBe(true);
        for (const [begin, end] of tokensPositive.flat()) expect(caption.slice(begin, end)).toMatch(/^\w.*\w$/);
        expect(own!.data).toHaveLength(count * 96 * 64);
      }
    }
  });

  it('without any text of the allowed kinds end with a way out', async () => {
    const impossible = source({ texts: [{ caption: 0, expression: 1, expression_types: ['two relations'] }] });
    const results = await Promise.allSettled(
      Array.from({ length: 6 }, (_, row) => impossible.get(row, keyOf(), tokenizer)),
    );
    for (const result of results)
      if (result.status === 'rejected') expect((result.reason as Error).message).toMatch(/allow captions too/);
  });
});

describe('answer labels for CLEVR', () => {
  it.each([
    ['yes', { answer_type: 0, answer_binary: 1, answer_attr: NO_LABEL, answer_reg: NO_LABEL }],
    ['no', { answer_type: 0, answer_binary: 0, answer_attr: NO_LABEL, answer_reg: NO_LABEL }],
    ['small', { answer_type: 1, answer_binary: 0, answer_attr: 0, answer_reg: NO_LABEL }],
    ['metal', { answer_type: 1, answer_binary: 0, answer_attr: 14, answer_reg: NO_LABEL }],
    ['7', { answer_type: 2, answer_binary: 0, answer_attr: NO_LABEL, answer_reg: 7 }],
  ])('%s', (answer, labels) => expect(clevrLabels({ answer })).toEqual(labels));

  it('are `NO_LABEL` for captions that ask nothing; an unknown answer is an error', () => {
    expect(clevrLabels(undefined)['answer_type']).toBe(NO_LABEL);
    expect(() => clevrLabels({ answer: 'perhaps' })).toThrow(
      /"perhaps" is neither yes or no, nor a number, nor one of/,
    );
    expect(labelerFor(smallConfig(), '')).toBeUndefined();
    expect(() => labelerFor(smallConfig({ do_qa: true, qa_dataset: 'gqa' }), 'nowhere')).toThrow(
      /gqa_answer2id\.json: .*gqa_ann_path/,
    );
  });
});

describe('cells of the auxiliary targets', () => {
  it('hold the object that fills a cell, none elsewhere, and mark what lies outside of the image', async () => {
    const scene = await source({ horizontal_flip_prob: 0 }).get(0, keyOf(), tokenizer);
    const config = smallConfig({ encoder_auxiliary_loss: 1, backbone_auxiliary_loss: 1 });
    const padded = { height: 96, width: 96 };
    const inputs = auxiliaryInputs([scene], padded, config, { encodings: [], T: 0 });
    const { shape, data } = inputs['auxiliary_cells']!;
    expect(shape).toEqual([1, 6, 6, 4]);
    const cells = [...(data as Int32Array)];
    const objects = scene.objects!.boxesXyxy.length / 4;
    expect(new Set(cells.filter((cell) => cell >= 0)).size).toBe(objects);
    expect(Math.max(...cells)).toBe(objects - 1);
    // The image is 64 pixels high: rows 4 and 5 of the map are padding.
    expect(cells.slice(4 * 6 * 4).every((cell) => cell === -2)).toBe(true);
    expect(cells.slice(0, 4 * 6 * 4).every((cell) => cell >= -1)).toBe(true);
    const centers = inputs['auxiliary_centers']!.data as Float32Array;
    const boxes = scene.objects!.boxesXyxy;
    cells.forEach((object, cell) => {
      if (object < 0) return;
      // Within the box, or at most half a cell beside it.
      for (const side of [0, 1]) {
        const reach = 4 / (side === 0 ? 96 : 64) + 1e-6;
        expect(centers[2 * cell + side]).toBeGreaterThanOrEqual(boxes[4 * object + side]! - reach);
        expect(centers[2 * cell + side]).toBeLessThanOrEqual(boxes[4 * object + 2 + side]! + reach);
      }
    });
  });

  it('count halvings with rounding up', () => {
    expect([mapSize(64, 4), mapSize(65, 4), mapSize(1, 5)]).toEqual([4, 5, 1]);
  });
});

describe('annotation files for training', () => {
  let rows: AnnotationSource;
  beforeAll(async () => {
    const { file, images } = await smallDataset(folder, 3);
    const config = smallConfig({ predict_final: true });
    rows = new AnnotationSource({ annotations: file, images }, config, undefined);
  });
  afterAll(() => rows.close());

  it('are augmented like photos, in proportion to the image size of the network', async () => {
    const sizes = new Set<string>();
    for (let epoch = 0; epoch < 8; epoch++) {
      const { image, captions } = await rows.get(0, keyOf({ epoch }), tokenizer);
      sizes.add(`${image.width}x${image.height}`);
      // 480 to 800 of 800, for 64 pixels.
      expect(Math.min(image.width, image.height)).toBeGreaterThanOrEqual(38);
      expect(Math.max(image.width, image.height)).toBeLessThanOrEqual(96);
      expect(captions[0]!.boxesCxcywh.every((value) => value >= 0 && value <= 1)).toBe(true);
      expect([...Array.from(captions[0]!.isFinal!)]).toEqual(captions[0]!.tokensPositive.map(() => 1));
    }
    expect(sizes.size).toBeGreaterThan(2);
    expect(await rows.get(0, keyOf(), tokenizer)).toEqual(await rows.get(0, keyOf(), tokenizer));
  });
});
