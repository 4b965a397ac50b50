import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Mdetr, parseModelConfig } from '../../src/models/index.ts';
import { bars, Row } from './comparison.ts';

interface KeyFile {
  readonly numTensors: number;
  readonly numParams: number;
  readonly keys: Readonly<
    Record<
      string,
      { readonly shape: readonly number[]; readonly dtype: string; readonly kind: string; readonly trainable: boolean }
    >
  >;
}

/** The official arguments that each file of keys was made with. */
const argumentsOf: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
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
    split_qa_heads: true,
    combine_datasets: ['clevr'],
  },
};

/** `state_dict` keys in their order, shapes, kinds, and which the official training changes. */
export const compareKeys = (folder: string): Row[] =>
  (existsSync(folder) ? readdirSync(folder).sort() : []).map((file) => {
    const name = file.replace(/\.json$/, '');
    const row = new Row(`keys ${name}`);
    const expected = JSON.parse(readFileSync(join(folder, file), 'utf8')) as KeyFile;
    const cell = row.in('state_dict', bars.exact);
    const config = argumentsOf[name];
    if (config === undefined) {
      cell.equal('known arguments', undefined, name);
      return row;
    }
    const model = new Mdetr(parseModelConfig(config, name));
    const { specs } = model.registry;
    const isTrainable = (key: string, kind: string): boolean =>
      kind === 'parameter' && (!key.includes('backbone.0') || model.isBackboneTrainable(key));
    cell.equal(
      'order',
      specs.map((spec) => spec.name),
      Object.keys(expected.keys),
    );
    for (const spec of specs) {
      const { shape, dtype, kind, trainable } = expected.keys[spec.name] ?? {};
      cell.equal(
        spec.name,
        [spec.shape, spec.dtype, spec.kind, isTrainable(spec.name, spec.kind)],
        [shape, dtype, kind, trainable],
      );
    }
    return row;
  });
