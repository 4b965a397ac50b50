import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MdetrNetwork, parseModelConfig } from '../../src/models/index.ts';
import { Row, TOLERANCES } from './comparison.ts';

/** The arguments that every file of keys was made with, beyond the official defaults. */
const configs: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  r101: {},
  'r101-contrastive': { contrastive_loss: true },
  'r101-gqa-split': { do_qa: true, split_qa_heads: true, combine_datasets: ['gqa'] },
  'r101-gqa-unified': { do_qa: true, combine_datasets: ['gqa'] },
  'r101-phrasecut-smallconv': { mask_model: 'smallconv', contrastive_align_loss: false },
  'clevr-r18-distil': {
    backbone: 'resnet18',
    text_encoder_type: 'distilroberta-base',
    num_queries: 25,
    do_qa: true,
    split_qa_heads: 1,
    combine_datasets: ['clevr'],
  },
};

interface KeyFile {
  readonly numTensors: number;
  readonly numParams: number;
  readonly numTrainable: number;
  readonly keys: Readonly<
    Record<string, { shape: number[]; dtype: string; kind: 'parameter' | 'buffer'; trainable: boolean }>
  >;
}

/** Names in order, shapes, types, kinds, and what is trained, of one official model. */
export const compareKeys = (folder: string, name: string): Row => {
  const row = new Row(`keys ${name}`);
  const expected = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as KeyFile;
  const config = configs[name];
  if (config === undefined) throw new Error(`no arguments are known for ${name}.json: add them in test/parity/keys.ts`);
  const model = new MdetrNetwork(parseModelConfig(config));
  const { specs } = model.registry;
  const cell = row.in('keys', TOLERANCES.exact);
  const names = Object.keys(expected.keys);
  cell.equal(
    'order',
    specs.map((spec) => spec.name),
    names,
  );
  for (const [key, { shape, dtype, kind, trainable }] of Object.entries(expected.keys)) {
    const spec = model.registry.get(key);
    const inBackbone = /(^|\.)backbone\.0\./.test(key);
    const isTrained = spec?.kind === 'parameter' && (!inBackbone || model.isBackboneTrainable(key));
    cell.equal(key, [spec?.shape, spec?.dtype, spec?.kind, isTrained], [shape, dtype, kind, trainable]);
  }
  const parameters = specs.filter((spec) => spec.kind === 'parameter');
  const count = parameters.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  cell.equal('number of parameters', count, expected.numParams);
  return row;
};
