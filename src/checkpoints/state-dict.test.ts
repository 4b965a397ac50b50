import { describe, expect, it } from 'vitest';
import { MdetrError } from '../errors.ts';
import { describeMatch, matchStateDict, type NamedShape, requireComplete } from './state-dict.ts';

const shapes = (record: Readonly<Record<string, readonly number[]>>): NamedShape[] =>
  Object.entries(record).map(([name, shape]) => ({ name, shape }));

const model = shapes({ 'a.weight': [2, 3], 'a.bias': [2], 'b.weight': [4] });

describe('matchStateDict', () => {
  it('is complete when names and shapes agree, in any order', () => {
    const match = matchStateDict(model, [...model].reverse());
    expect(match).toEqual({
      used: model.map(({ name }) => ({ name, source: name })),
      ignored: [],
      harmless: [],
      missing: [],
      mismatched: [],
    });
    expect(describeMatch(match)).toBe('3 of 3 tensors loaded');
    expect(() => requireComplete(match, 'x.pth')).not.toThrow();
  });

  it('lists what does not fit', () => {
    const match = matchStateDict(
      model,
      shapes({
        'a.weight': [3, 2],
        'a.bias': [2],
        'transformer.text_encoder.embeddings.position_ids': [1, 514],
        'bn1.num_batches_tracked': [],
        'c.weight': [1],
      }),
    );
    expect(match).toEqual({
      used: [{ name: 'a.bias', source: 'a.bias' }],
      ignored: ['c.weight'],
      harmless: ['transformer.text_encoder.embeddings.position_ids', 'bn1.num_batches_tracked'],
      missing: ['b.weight'],
      mismatched: [{ name: 'a.weight', expected: [2, 3], found: [3, 2] }],
    });
    expect(describeMatch(match)).toBe(
      [
        '1 of 3 tensors loaded; skipped transformer.text_encoder.embeddings.position_ids, bn1.num_batches_tracked (known, harmless)',
        'missing from the file (1): b.weight',
        'of another shape (1): a.weight is [3,2] and should be [2,3]',
        'ignored, not in this model (1): c.weight',
      ].join('\n'),
    );
    expect(() => requireComplete(match, 'x.pth')).toThrow(MdetrError);
    expect(() => requireComplete(match, 'x.pth')).toThrow(
      /^x\.pth: does not fit the model: 1 of 3 .*missing from the file \(1\): b\.weight/,
    );
  });

  it('uses position_ids when the model has them', () => {
    const ids = shapes({ position_ids: [1, 514] });
    expect(matchStateDict(ids, ids)).toMatchObject({ used: [{ name: 'position_ids' }], harmless: [] });
  });

  it.each(['module.', '_orig_mod.', 'module._orig_mod.module.', 'model.', 'state_dict.model.module.', 'my_trainer.'])(
    'removes the prefix %s',
    (prefix) => {
      const wrapped = model.map(({ name, shape }) => ({ name: prefix + name, shape }));
      const match = matchStateDict(model, wrapped);
      expect(match.missing).toEqual([]);
      expect(match.used[0]).toEqual({ name: 'a.weight', source: `${prefix}a.weight` });
      expect(describeMatch(match)).toBe(`3 of 3 tensors loaded; prefix "${prefix}" removed`);
    },
  );

  it('removes wrappers inside names', () => {
    const wrapped = model.map(({ name, shape }) => ({ name: name.replace('.', '._orig_mod.module.'), shape }));
    expect(matchStateDict(model, wrapped)).toMatchObject({ missing: [], ignored: [] });
  });

  it('keeps a wrapper that the model has, and takes the less wrapped one of two tensors', () => {
    const own = shapes({ 'model.a': [1] });
    expect(matchStateDict(own, own)).toMatchObject({ missing: [], removedPrefix: undefined });
    const twice = shapes({ 'module.a.weight': [9], 'a.weight': [2, 3], 'a.bias': [2], 'b.weight': [4] });
    expect(matchStateDict(model, twice)).toMatchObject({ missing: [], mismatched: [], ignored: ['module.a.weight'] });
  });

  it('does not choose between two complete sets under unknown prefixes', () => {
    const two = ['student.', 'teacher.'].flatMap((prefix) =>
      model.map(({ name, shape }) => ({ name: prefix + name, shape })),
    );
    expect(matchStateDict(model, two).missing).toHaveLength(3);
  });

  it.each(['', 'module.'])('detects a detr. prefix (behind "%s"), and the suggestion fixes it', (outer) => {
    const wrapped = [
      ...model.map(({ name, shape }) => ({ name: `${outer}detr.${name}`, shape })),
      { name: `${outer}mask_head.lay1.weight`, shape: [1] },
    ];
    const match = matchStateDict(model, wrapped);
    expect(match.missing).toHaveLength(3);
    expect(describeMatch(match)).toMatch(
      /3 of them are present with the prefix "detr\.": this is a segmentation checkpoint/,
    );
    const fixed = matchStateDict(model, wrapped, { prefixes: match.suggestion!.prefixes });
    expect(fixed.missing).toEqual([]);
    expect(fixed.ignored).toEqual([`${outer}mask_head.lay1.weight`]);
  });

  it('detects a missing detr. prefix, and the suggestion fixes it', () => {
    const segmentation = [
      ...model.map(({ name, shape }) => ({ name: `detr.${name}`, shape })),
      { name: 'mask_head.lay1.weight', shape: [1] },
    ];
    const match = matchStateDict(segmentation, model);
    expect(match.suggestion!.text).toMatch(/3 of them are present without the prefix "detr\."/);
    const fixed = matchStateDict(segmentation, model, { prefixes: match.suggestion!.prefixes });
    expect(fixed.missing).toEqual(['mask_head.lay1.weight']);
  });

  it('shortens long lists', () => {
    const many = Array.from({ length: 900 }, (_, i) => ({ name: `w${i}`, shape: [1] }));
    expect(describeMatch(matchStateDict(many, []))).toBe(
      '0 of 900 tensors loaded\nmissing from the file (900): w0, w1, w2, w3, w4, and 895 more',
    );
  });
});
