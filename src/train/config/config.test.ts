import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { withConfigTables } from '../../../scripts/docs/config-tables.ts';
import { findConfig, readConfigFile, withLoadedModel } from './config-file.ts';
import { keysOfParts, knownKeys, parseTrainConfig } from './config.ts';
import { nearestKey } from '../../options/nearest-key.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const fileOf = (values: unknown): string => {
  const path = join(folder, `config-${files++}.json`);
  writeFileSync(path, typeof values === 'string' ? values : JSON.stringify(values));
  return path;
};
const read = async (values: unknown, ...settings: string[]) => (await readConfigFile(fileOf(values), settings)).stages;

describe('a training config', () => {
  it('has the official defaults', () => {
    expect(parseTrainConfig({})).toMatchObject({
      lr: 1e-4,
      lr_backbone: 1e-5,
      text_encoder_lr: 5e-5,
      weight_decay: 1e-4,
      clip_max_norm: 0.1,
      batch_size: 2,
      epochs: 40,
      lr_drop: 35,
      schedule: 'linear_with_warmup',
      fraction_warmup_steps: 0.01,
      ema: false,
      ema_decay: 0.9998,
      seed: 42,
      optimizer: 'adam',
      adjust_lr: 'after_step',
    });
  });

  it.each([
    [{ epoch: 3 }, /my\.json: unknown key "epoch"; did you mean "epochs"\?/],
    [{ 'batch-size': 3 }, /unknown key "batch-size"; did you mean "batch_size"\?/],
    [{ lr_bakcbone: 3 }, /unknown key "lr_bakcbone"; did you mean "lr_backbone"\?/],
    [{ somethingElseAltogether: 3 }, /unknown key "somethingElseAltogether"$/],
    [
      { datasets: [{ anotations: 'a', images: 'b' }] },
      /in "datasets\.0": unknown key "anotations"; did you mean "annotations"\?/,
    ],
    [{ datasets: [{ scenes: { images: 3, widht: 5 } }] }, /unknown key "widht"; did you mean "width"\?/],
    [{ texts: [{ captions: 1 }] }, /in "texts\.0": unknown key "captions"; did you mean "caption"\?/],
    [JSON.parse('{"__proto__": {"lr": 1}}') as object, /unknown key "__proto__"/],
  ])('%j is refused, naming the nearest key', (values, message) => {
    expect(() => parseTrainConfig(values as Record<string, unknown>, 'my.json')).toThrow(message);
  });

  it.each([
    [{ lr: 'fast' }, /my\.json: "lr" .*expected number/],
    [{ lr: -1 }, /"lr" too small/],
    [{ epochs: 1.5 }, /"epochs" .*expected int/],
    [{ ema: 'yes' }, /"ema" /],
    [{ schedule: 'cosine' }, /"schedule" .*"step"/],
    [{ datasets: 'mine' }, /"datasets" .*expected array/],
    [{ datasets: [{ annotations: 'a' }] }, /"datasets\.0\.images" /],
    [{ texts: [{ until_pairs: 5, caption: 0 }] }, /texts\[0\]: caption, expression, question and negative are all 0/],
    [{ texts: [{}, {}] }, /texts\[0\] has no "until_pairs"/],
    [{ frozen_weights: 'a.pth' }, /set mask_model to "smallconv"/],
    [{ objective: 'backbone' }, /backbone_auxiliary_loss alone, which is 0/],
    [{ text_in_encoder: false, word_auxiliary_loss: 1 }, /text_in_encoder is false: set word_auxiliary_loss to 0/],
    [{ text_in_encoder: false, encoder_auxiliary_loss: 1 }, /set encoder_auxiliary_loss to 0/],
    [{ hidden_dim: 100, nheads: 8 }, /hidden_dim 100 is not a multiple of nheads 8/],
  ])('%j is refused with the key and what it should be', (values, message) => {
    expect(() => parseTrainConfig(values, 'my.json')).toThrow(message);
  });

  it('takes 1 for true and null for nothing, as official files do', () => {
    expect(parseTrainConfig({ ema: 1, do_qa: 1, split_qa_heads: 1, load: null })).toMatchObject({
      ema: true,
      do_qa: true,
      split_qa_heads: true,
      load: '',
    });
  });
});

describe('old names in a config', () => {
  it('are accepted with one note each', () => {
    const notes: string[] = [];
    const config = parseTrainConfig({ mirror: 0.1, decays: 'matrices', texts: [{ until: 9 }, {}] }, 'my.json', (text) =>
      notes.push(text),
    );
    expect(config).toMatchObject({ horizontal_flip_prob: 0.1, weight_decay_params: 'matrices' });
    expect(config.texts[0]).toMatchObject({ until_pairs: 9 });
    expect(notes).toContain('my.json: "mirror" is now called "horizontal_flip_prob"');
    expect(notes).toHaveLength(3);
  });

  it('are refused beside the current name', () => {
    expect(() => parseTrainConfig({ mirror: 0, horizontal_flip_prob: 0 }, 'my.json')).toThrow(
      /my\.json: "mirror" and "horizontal_flip_prob" are both given/,
    );
  });

  it('are accepted in files, stages and settings, which override one another under either name', async () => {
    const path = fileOf({ mirror: 0.1, stages: [{ horizontal_flip_prob: 0.2, texts: [{ until: 5 }, {}] }, {}] });
    const { stages, notes } = await readConfigFile(path, ['bucket=3', 'texts.0.until=7']);
    expect(stages.map(({ values }) => values)).toEqual([
      { horizontal_flip_prob: 0.2, bucket_window: 3, texts: [{ until_pairs: 7 }, {}] },
      { horizontal_flip_prob: 0.1, bucket_window: 3, texts: { 0: { until_pairs: 7 } } },
    ]);
    expect(notes).toEqual([
      '"mirror" is now called "horizontal_flip_prob"',
      '"until" is now called "until_pairs"',
      '"bucket" is now called "bucket_window"',
    ]);
    await expect(readConfigFile(path, ['mirror=1', 'horizontal_flip_prob=1'])).rejects.toThrow(
      /--set mirror and --set horizontal_flip_prob are both given/,
    );
  });
});

describe('a config file', () => {
  it('is overruled by the command line, also deep inside', async () => {
    const values = { lr: 1, image_size: { shortest_edge: 100, longest_edge: 200 }, datasets: [{ scenes: 'a' }] };
    const [stage] = await read(
      values,
      'lr=2',
      'image_size.shortest_edge=50',
      'datasets.0.name=mine',
      'load=a=b',
      'x.y=true',
    );
    expect(stage!.values).toEqual({
      lr: 2,
      image_size: { shortest_edge: 50, longest_edge: 200 },
      datasets: [{ scenes: 'a', name: 'mine' }],
      load: 'a=b',
      x: { y: true },
    });
  });

  it.each([
    ['lr', /--set lr: write KEY=VALUE/],
    ['=3', /write KEY=VALUE/],
    ['lr.x=3', /"lr" has a value of its own, not nested keys/],
    ['__proto__.lr=3', /not a key of a config/],
    ['constructor.prototype.lr=3', /not a key of a config/],
  ])('--set %s is refused', async (setting, message) => {
    await expect(read({ lr: 1 }, setting)).rejects.toThrow(message);
    expect(({} as Record<string, unknown>)['lr']).toBeUndefined();
  });

  it.each([
    ['{"lr": 1,}', /is not JSON/],
    ['[]', /must hold a JSON object/],
    ['{"stages": []}', /"stages" must be a list of objects/],
    ['{"stages": [1]}', /"stages" must be a list of objects/],
    ['{"stages": [{"name": "../x"}, {}]}', /stages\.0\.name must be a word/],
    ['{"stages": [{"name": "."}, {}]}', /stages\.0\.name must be a word/],
    ['{"stages": [{"name": ""}, {}]}', /stages\.0\.name must be a word/],
  ])('%s is refused', async (text, message) => {
    await expect(read(text)).rejects.toThrow(message);
  });

  it('has stages with the values of all and their own, the command line over both', async () => {
    const stages = await read({ lr: 1, epochs: 2, stages: [{ lr: 3 }, { name: 'b', epochs: 4 }] }, 'seed=7');
    expect(stages).toEqual([
      { name: 'stage1', values: { lr: 3, epochs: 2, seed: 7 } },
      { name: 'b', values: { lr: 1, epochs: 4, seed: 7 } },
    ]);
  });

  it('of this package is found from any folder', async () => {
    expect(await findConfig('configs/scenes/default.json')).toMatch(/configs\/scenes\/default\.json$/);
    await expect(findConfig('configs/none.json')).rejects.toThrow(/configs\/none\.json: there is no such config file$/);
  });

  it.each([
    ['refcoco', /refcoco: there is no such config file; did you mean configs\/refcoco\.json/],
    ['configs/refcok.json', /did you mean configs\/refcoco\.json/],
    ['scenes/defualt.json', /did you mean configs\/scenes\/default\.json/],
    ['configs', /configs: is a folder, not a config file$/],
    ['models/default', /models\/default: is a folder, not a config file: did you mean models\/default\/config\.json\?/],
  ])('%s is none, and the right one is named', async (path, message) => {
    await expect(findConfig(path)).rejects.toThrow(message);
  });

  it('need not say what the model folder says that it loads', async () => {
    const values = await withLoadedModel({ load: 'default', lr: 1, num_queries: 20 });
    expect(values).toMatchObject({
      lr: 1,
      hidden_dim: 128,
      num_queries: 20,
      qa_dataset: 'clevr',
      text_encoder_type: 'scenes',
      image_size: { shortest_edge: 96, longest_edge: 144 },
    });
    for (const key of ['notice', 'made_for']) expect(values).not.toHaveProperty(key);
    expect(parseTrainConfig(values)).toMatchObject({ backbone: 'small_convnet', do_qa: true });
    expect(await withLoadedModel({ lr: 1 })).toEqual({ lr: 1 });
  });
});

describe('docs/training.md', () => {
  const text = readFileSync('docs/training.md', 'utf8');

  it('has the tables of keys that the schemas make (npm run docs:config)', () => {
    expect(withConfigTables(text)).toBe(text);
  });

  it('mentions every key', () => {
    const mentioned = (key: string): boolean => text.includes(`\`${key}\``);
    expect([...knownKeys, 'stages', ...keysOfParts].filter((key) => !mentioned(key))).toEqual([]);
    expect([...text.matchAll(/^\| `(\w+)`/gm)].length).toBeGreaterThan(120);
  });
});

describe('the nearest key', () => {
  it.each([
    ['epoch', 'epochs'],
    ['batchsize', 'batch_size'],
    ['max_step', 'max_steps'],
    ['Lr', 'lr'],
    ['zzz', undefined],
  ])('of %s is %s', (word, nearest) => {
    expect(nearestKey(word, ['epochs', 'batch_size', 'max_steps', 'lr', 'hidden_dim'])).toBe(nearest);
  });
});
