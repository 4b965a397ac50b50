import { describe, expect, it } from 'vitest';
import { allBenchmarks } from '../benchmarks/registry.ts';
import { MdetrError, UsageError } from '../errors.ts';
import { currentArguments, currentConfig, currentMetricName, currentSetting } from './current-names.ts';

describe('a config with old names', () => {
  it('gets the current ones, also inside stages and texts, with one note each', () => {
    const { value, notes } = currentConfig({
      lr: 1,
      mirror: 0.2,
      positive_map: 'normalised',
      texts: [{ until: 5, caption: 1 }, { caption: 1 }],
      stages: [{ mirror: 0, texts: [{ until: 3 }] }, { bucket: 2 }],
      datasets: [{ scenes: 'a', mirror: 1 }],
    });
    expect(value).toEqual({
      lr: 1,
      horizontal_flip_prob: 0.2,
      positive_map: 'normalized',
      texts: [{ until_pairs: 5, caption: 1 }, { caption: 1 }],
      stages: [{ horizontal_flip_prob: 0, texts: [{ until_pairs: 3 }] }, { bucket_window: 2 }],
      datasets: [{ scenes: 'a', mirror: 1 }],
    });
    expect(notes).toEqual([
      '"mirror" is now called "horizontal_flip_prob"',
      'positive_map "normalised" is now called "normalized"',
      '"until" is now called "until_pairs"',
      '"bucket" is now called "bucket_window"',
    ]);
  });

  it('stays as it is when the names are current, whatever the keys', () => {
    const values = JSON.parse('{"lr": 1, "__proto__": {"mirror": 1}, "constructor": 2, "texts": "x"}') as object;
    const { value, notes } = currentConfig({ ...values });
    expect(Object.entries(value)).toEqual(Object.entries(values));
    expect(notes).toEqual([]);
  });

  it.each([
    [{ mirror: 0.5, horizontal_flip_prob: 0.5 }, /my\.json: "mirror" and "horizontal_flip_prob" are both given/],
    [
      { stages: [{}, { decays: 'all', weight_decay_params: 'all' }] },
      /my\.json, stages\[1\]: "decays" and "weight_decay_params"/,
    ],
  ])('%j is refused, naming both', (values, message) => {
    expect(() => currentConfig(values, 'my.json')).toThrow(MdetrError);
    expect(() => currentConfig(values, 'my.json')).toThrow(message);
  });
});

describe('a setting with old names', () => {
  it.each([
    [['mirror'], 0.5, ['horizontal_flip_prob'], 0.5],
    [['positive_map'], 'normalised', ['positive_map'], 'normalized'],
    [['texts', '0', 'until'], 3, ['texts', '0', 'until_pairs'], 3],
    [['texts'], [{ until: 3 }], ['texts'], [{ until_pairs: 3 }]],
    [['texts', '0'], { until: 3 }, ['texts', '0'], { until_pairs: 3 }],
    [['datasets', '0', 'mirror'], 1, ['datasets', '0', 'mirror'], 1],
  ])('%j=%j', (keys, value, currentKeys, currentValue) => {
    expect(currentSetting({ keys, value }, '--set').value).toEqual({ keys: currentKeys, value: currentValue });
  });
});

describe('old options of a command', () => {
  const renamed = { evaluate: { '--truth': '--ground-truth' } };

  it('are replaced, but not behind --', () => {
    const { value, notes } = currentArguments('evaluate', ['evaluate', '--truth=a=b', '--', '--truth'], renamed);
    expect(value).toEqual(['evaluate', '--ground-truth=a=b', '--', '--truth']);
    expect(notes).toEqual(['--truth is now called --ground-truth']);
    expect(currentArguments('detect', ['detect', '--truth'], renamed).value).toEqual(['detect', '--truth']);
  });

  it('are refused beside the new one', () => {
    expect(() => currentArguments('evaluate', ['--truth', 'a', '--ground-truth', 'b'], renamed)).toThrow(UsageError);
  });
});

describe('names in old logs', () => {
  it.each([
    ['helper_box', 'auxiliary_box'],
    ['loss_ce', 'loss_ce'],
    ['auxiliary_box', 'auxiliary_box'],
    ['mine/bbox_AP50', 'mine/box_ap_50'],
    ['flickr/merged/Recall@1_all', 'flickr/merged/recall_at_1'],
    ['refexp/refcoco+_Precision@1', 'refexp/refcoco+/precision_at_1'],
    ['phrasecut/mask_Precision@0.5', 'phrasecut/mask_precision_at_50'],
  ])('%s is %s', (old, current) => expect(currentMetricName(old)).toBe(current));

  it('that were titles have the identifiers of the benchmarks', () => {
    // Those of LVIS have other names, and photographs had none under their titles.
    const without = ['lvis', 'photos'];
    const metrics = allBenchmarks().flatMap(({ name, metrics: own }) => (without.includes(name) ? [] : own));
    for (const { title, id, isDetail } of metrics)
      if (isDetail !== true && !title.includes('*')) expect(currentMetricName(`set/${title}`), title).toBe(`set/${id}`);
  });
});
