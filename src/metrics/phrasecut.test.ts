import { describe, expect, it } from 'vitest';
import { maskFromDense, packMask } from '../geometry/run-lengths.ts';
import { boxesIou, paintBoxes, PhraseCutEvaluator } from './phrasecut.ts';
import { type PhraseCutTask } from './phrasecut-data.ts';
import { PhraseCutSubsetRules, type PhraseStructure } from './phrasecut-subsets.ts';

const task = (id: string, attributes: string[] = [], polygon = [[0, 0], [3, 0], [3, 3], [0, 3]]): PhraseCutTask => ({
  task_id: id,
  image_id: 1,
  phrase_structure: { name: 'car', attributes, relation_descriptions: [], type: 'name' },
  instance_boxes: [[0, 0, 5, 5]],
  Polygons: [[polygon]],
}); // prettier-ignore
const images = [{ image_id: 1, width: 8, height: 8, coco_id: 5 }];
const counts = { cat: [['car', 9]] as const, att: [['red', 3]] as const };
const maskOf = (set: (x: number, y: number) => boolean) =>
  packMask(
    maskFromDense(
      Uint8Array.from({ length: 64 }, (_, i) => (set(i % 8, Math.floor(i / 8)) ? 1 : 0)),
      8,
      8,
    ),
  );

describe('PhraseCutEvaluator', () => {
  it('compares painted boxes and masks, overall and per subset', () => {
    const groundTruth = { tasks: [task('1__a', ['red']), task('1__b')], images, counts };
    const evaluator = new PhraseCutEvaluator(groundTruth, { masks: true });
    const half = maskOf((x, y) => x < 4 && y < 2);
    expect(evaluator.add({ original_id: 1, task_id: '1__a', boxes: [[0, 0, 5, 5]], mask: half })).toBe(0.5);
    evaluator.add({ original_id: 1, task_id: '1__b', boxes: [], mask: maskOf(() => false) });
    expect(evaluator.resultOf('1__a')).toMatchObject({ boxIou: 1, maskIou: 0.5, intersection: 8, union: 16 });
    expect(evaluator.summarize()).toMatchObject({
      'Precision@0.5': 0.5,
      'Precision@0.9': 0.5,
      mean_box_iou: 0.5,
      mean_mask_iou: 0.25,
      cum_mask_iou: 8 / 32,
      'mask_Precision@0.5': 0, // strictly above
      'a_color/mean_mask_iou': 0.5,
      'a20/mean_box_iou': 1,
      'a200+/mean_box_iou': 0,
    });
    expect(evaluator.report()['d_notcocotv']).toBeUndefined();
    expect(evaluator.report()['c20']?.count).toBe(2);
  });

  it('leaves out phrases without a prediction, or counts them as missed', () => {
    const groundTruth = { tasks: [task('1__a'), task('1__b')], images, counts };
    const prediction = { original_id: 1, task_id: '1__a', boxes: [[0, 0, 5, 5] as [number, number, number, number]] };
    const [skip, empty] = (['skip', 'empty'] as const).map(
      (missing) => new PhraseCutEvaluator(groundTruth, { missing }),
    );
    skip!.add(prediction);
    empty!.add(prediction);
    expect(skip!.summarize()['mean_box_iou']).toBe(1);
    expect(empty!.summarize()['mean_box_iou']).toBe(0.5);
    expect(skip!.warnings).toEqual(['1 of 2 phrases have no prediction; they were left out.']);
    expect(skip!.add({ ...prediction, task_id: '9__z' })).toBeUndefined();
    expect(skip!.warnings.at(-1)).toBe('1 predictions belong to phrases that are not in this split.');
  });

  it('reports wrong predictions', () => {
    const evaluator = new PhraseCutEvaluator({ tasks: [task('1__a')], images, counts }, { masks: true });
    const prediction = { original_id: 1, task_id: '1__a', boxes: [] };
    expect(() => evaluator.add(prediction)).toThrow('no "mask"');
    const small = packMask(maskFromDense(new Uint8Array(6), 2, 3));
    expect(() => evaluator.add({ ...prediction, mask: small })).toThrow('is 3x2, image 1 is 8x8');
    const lost = new PhraseCutEvaluator({ tasks: [task('1__a')], images: [], counts });
    expect(() => lost.add(prediction)).toThrow('image 1, which image_data_split.json lacks');
  });

  it('rasterizes boxes as the official code does, or exactly', () => {
    const rows = (canvas: Uint8Array, width: number): string[] =>
      Array.from({ length: canvas.length / width }, (_, y) => canvas.subarray(y * width, (y + 1) * width).join(''));
    // prettier-ignore
    expect(rows(paintBoxes([[1.9, 0, 3, 2]], 5, 2), 5)).toEqual(['01100', '00000']);
    // A start of -1 is the last column, which leaves nothing before column 2.
    expect(rows(paintBoxes([[-1, 0, 4, 2]], 5, 1), 5)).toEqual(['00000']);
    // Here -2 means column 2 of 4: one of three columns is painted.
    expect(boxesIou([[-2, 0, 6, 4]], [[0, 0, 4, 4]])).toBe(1 / 3);
    expect(boxesIou([[-2, 0, 6, 4]], [[0, 0, 4, 4]], 'exact')).toBe(1);
    expect(boxesIou([[0, 0, 1, 1]], [[0, 0, 1, 1]])).toBe(0); // a single pixel is lost
    expect(boxesIou([[0, 0, 1, 1]], [[0, 0, 1, 1]], 'exact')).toBe(1);
    expect(boxesIou([], [], 'exact')).toBe(0);
  });
});

describe('PhraseCutSubsetRules', () => {
  const ranked = (prefix: string, length: number) =>
    Array.from({ length }, (_, i): [string, number] => [`${prefix}${i}`, length - i]);
  const rules = new PhraseCutSubsetRules({ cat: ranked('c', 600), att: ranked('a', 300) });
  const subsets = (structure: Partial<PhraseStructure>, instanceCount = 1, relativeSize = 0.1, cocoId?: number) =>
    rules.subsetsOf({
      structure: { name: 'c0', attributes: [], relation_descriptions: [], type: 'name', ...structure },
      instanceCount,
      relativeSize,
      cocoId,
    });

  it.each([
    ['c19', ['c20', 'c100', 'c500']],
    ['c20', ['c21-100', 'c100', 'c500']],
    ['c99', ['c21-100', 'c100', 'c500']],
    ['c100', ['c101-500', 'c500']],
    ['c499', ['c101-500', 'c500']],
    ['c500', ['c500+']],
    ['unheard of', ['c500+']],
  ])('category %s', (name, expected) => {
    const found = [...subsets({ name })].filter((subset) => /^c\d/.test(subset));
    expect(found.sort()).toEqual(expected.sort());
  });

  it.each([
    [
      ['a19', 'a250'],
      ['a100', 'a20', 'a200'],
    ],
    [['a150'], ['a101-200', 'a200']],
    [['a250'], ['a200+']],
    [[], ['a200+']],
  ])('attributes %j', (attributes, expected) => {
    const found = [...subsets({ attributes })].filter((subset) => /^a\d/.test(subset));
    expect(found.sort()).toEqual(expected);
  });

  it('classifies structure, number, size, stuff, attribute types and origin', () => {
    const found = subsets(
      { name: 'tree trunk', attributes: ['red', 'tall'], relation_descriptions: [['on', 'grass']], type: 'verbose' },
      5,
      0.201,
      0,
    );
    for (const subset of [
      'p_att',
      'p_attm',
      'p_rel',
      'p_att_rel',
      'p_verbose',
      'i_many',
      's_large',
      't_stuff',
    ] as const) {
      expect(found).toContain(subset);
    }
    for (const subset of ['a_color', 'a_shape', 'd_notcocotv', 'all'] as const) expect(found).toContain(subset);
    for (const subset of ['p_relm', 't_obj', 'i_multi', 'a_loc', 'd_cocotv', 'p_name'] as const) {
      expect(found).not.toContain(subset);
    }
    expect(subsets({}, 2, 0.02, 7)).toEqual(
      new Set(['all', 'c20', 'c100', 'c500', 'i_multi', 'p_name', 't_obj', 's_mid', 'a200+', 'd_cocotv']),
    );
    expect(subsets({ name: 'dog' }, 1, 0.019)).toContain('s_small');
    expect(subsets({ name: 'dog' })).toContain('c_coco');
  });
});
