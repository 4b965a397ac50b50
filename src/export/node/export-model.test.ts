import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { FaultyServer } from '../../../test/support/faulty-server.ts';
import { HubFixture } from '../../../test/support/hub-fixture.ts';
import { readModel } from '../../../test/support/model-reader.ts';
import { roberta } from '../../../test/support/run-mdetr.ts';
import { requirePackageFile } from '../../files/package-folder.ts';
import type { FromPretrainedOptions, ProgressEvent } from '../../inference/node/load-options.ts';
import { MDETR } from '../../inference/node/mdetr.ts';
import { generateScene } from '../../scenes/index.ts';
import { loadTokenizer } from '../../text/node/tokenizer-files.ts';
import { createTokenizer } from '../../text/index.ts';
import type { ExportLayout } from '../../model-folder/export-manifest.ts';
import { robertaTokenizerJson } from '../portable-files.ts';
import { exportModel } from './export-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-export-'));
const layouts: readonly ExportLayout[] = ['parts', 'single', 'hub'];
const exported = (layout: ExportLayout): string => join(folder, layout);
const cacheDir = join(folder, 'cache');
let original: MDETR;

/** An untrained network with all heads, small enough that tests of files take no time. */
const small = join(folder, 'small');
const SMALL_CONFIG = {
  hidden_dim: 32,
  nheads: 4,
  enc_layers: 1,
  dec_layers: 1,
  dim_feedforward: 64,
  num_queries: 5,
  do_qa: true,
  split_qa_heads: true,
  qa_dataset: 'clevr',
  mask_model: 'smallconv',
  predict_final: true,
  small_backbone: { widths: [8, 16, 16, 32], groups: 4 },
  text_encoder_type: 'scenes',
  text_encoder: {
    hidden_size: 32,
    num_hidden_layers: 1,
    num_attention_heads: 4,
    intermediate_size: 64,
    vocab_size: 115,
    max_position_embeddings: 40,
  },
  calibration: {
    threshold: 0.4,
    presence: 0.3,
    data: { name: 'val.jsonl', images: 2, captions: 3, boxes: 4, present_phrases: 3, absent_phrases: 1 },
  },
  init_seed: 7,
};

beforeAll(async () => {
  vi.stubEnv('MDETR_CACHE', cacheDir);
  mkdirSync(small);
  writeFileSync(join(small, 'config.json'), JSON.stringify(SMALL_CONFIG));
  cpSync(requirePackageFile('configs/scenes/plain-words/tokenizer.json'), join(small, 'tokenizer.json'));
  cpSync(requirePackageFile('models/default/preprocessor_config.json'), join(small, 'preprocessor_config.json'));
  original = await MDETR.fromPretrained(small, { threads: 1 });
  for (const layout of layouts) await exportModel(small, exported(layout), { layout });
});
afterAll(async () => {
  await original.dispose();
  rmSync(folder, { recursive: true, force: true });
});
afterEach(() => vi.unstubAllEnvs());

const { image } = generateScene(1, 0, { width: 150, height: 100 });
const captions = ['a cube and the small sphere', 'the big cylinder'];
const options = { threshold: 0, masks: true };

const outputsOf = async (model: MDETR) => {
  const found = await model.detect(image, captions, options);
  const { answer, probability } = await model.ask(image, 'What color is the cube?');
  return { detections: found.map(({ detections }) => detections), answer, probability };
};

describe.each(layouts)('an export in the layout "%s"', (layout) => {
  it('gives the results of the model', async () => {
    const model = await MDETR.fromPretrained(exported(layout), { threads: 1 });
    const [ours, theirs] = [await outputsOf(model), await outputsOf(original)];
    await model.dispose();
    expect(ours.answer).toBe(theirs.answer);
    expect(ours.probability).toBeCloseTo(theirs.probability, 5);
    expect(model.loadReport).toContain('weights stored as float32');
    expect(model.calibration).toEqual(SMALL_CONFIG.calibration);
    theirs.detections.forEach((detections, caption) => {
      expect(ours.detections[caption]).toHaveLength(detections.length);
      detections.forEach(({ query, box, score, spans, mask }) => {
        const found = ours.detections[caption]!.find((detection) => detection.query === query)!;
        expect(Math.abs(found.score - score)).toBeLessThan(1e-5);
        box.forEach((value, axis) => expect(Math.abs(found.box[axis]! - value)).toBeLessThan(1e-3));
        expect(found.spans.map(({ text }) => text)).toEqual(spans.map(({ text }) => text));
        expect(found.mask?.size).toEqual(mask?.size);
      });
    });
  });

  it('documents every input and output in the ONNX files', () => {
    const manifest = JSON.parse(readFileSync(join(exported(layout), 'export.json'), 'utf8')) as {
      precisions: { float32: Record<string, { file: string }> };
      programs: Record<string, { inputs: { name: string }[]; outputs: { name: string }[] }>;
    };
    for (const [name, { file }] of Object.entries(manifest.precisions.float32)) {
      const bytes = readFileSync(join(exported(layout), file));
      const model = readModel(bytes);
      const names = (values: readonly { name: string }[]) => values.map((value) => value.name);
      expect(names(model.inputs)).toEqual(names(manifest.programs[name]!.inputs));
      expect(names(model.outputs)).toEqual(names(manifest.programs[name]!.outputs));
      expect([...model.inputs, ...model.outputs].filter(({ description }) => !description)).toEqual([]);
      expect(model.opsets).toEqual({ '': 20 });
      expect(model.metadata).toMatchObject({
        'mdetr.program': name,
        'mdetr.dtype': 'float32',
        'mdetr.shortest_edge': '96',
      });
    }
  });
});

describe('the files of an export', () => {
  it('are those of its layout', () => {
    const common = ['README.md', 'config.json', 'export.json', 'preprocessor_config.json', 'tokenizer.json'];
    const names = (layout: ExportLayout) => readdirSync(exported(layout)).sort();
    expect(names('parts')).toEqual([...common, 'image.onnx', 'masks.onnx', 'text.onnx'].sort());
    expect(names('single')).toEqual([...common, 'model.onnx'].sort());
    expect(names('hub')).toEqual([...common, 'onnx', 'tokenizer_config.json'].sort());
    expect(readdirSync(join(exported('hub'), 'onnx'))).toEqual(['model.onnx']);
    expect(readFileSync(join(exported('hub'), 'README.md'), 'utf8')).toMatch(
      /^---\nlibrary_name: mdetr\npipeline_tag: /,
    );
  });

  it('replace only an exported folder, and only when told to', async () => {
    const out = join(folder, 'kept');
    cpSync(exported('single'), out, { recursive: true });
    await expect(exportModel(small, out)).rejects.toThrow(/is there already; replace it with --overwrite/);
    await exportModel(small, out, { force: true, layout: 'single' });
    writeFileSync(join(out, 'notes.txt'), '');
    await expect(exportModel(small, out, { force: true })).rejects.toThrow(
      /holds "notes.txt", so it is no exported folder/,
    );
  });

  it('are not left behind by an export that is canceled or fails', async () => {
    const out = join(folder, 'canceled');
    const signal = AbortSignal.abort(new Error('stopped'));
    await expect(exportModel(small, out, { signal })).rejects.toThrow('stopped');
    await expect(exportModel(join(folder, 'nothing'), out)).rejects.toThrow(/no such model/);
    expect(readdirSync(folder).filter((name) => name.includes('canceled'))).toEqual([]);
  });

  it('are checked when they are loaded', async () => {
    const broken = join(folder, 'broken');
    const expectRefusal = async (
      spoil: (path: string) => void,
      message: RegExp,
      name = 'model.onnx',
    ): Promise<void> => {
      rmSync(broken, { recursive: true, force: true });
      cpSync(exported('single'), broken, { recursive: true });
      spoil(join(broken, name));
      await expect(MDETR.fromPretrained(broken)).rejects.toThrow(message);
    };
    await expectRefusal((path) => rmSync(path), /model.onnx: cannot be read/);
    await expectRefusal((path) => truncateSync(path, 100), /has 100 bytes instead of/);
    await expectRefusal((path) => {
      const bytes = readFileSync(path);
      bytes[bytes.length >> 1]! ^= 1;
      writeFileSync(path, bytes);
    }, /was changed since the export/);
    await expectRefusal((path) => appendFileSync(path, '}'), /export.json/, 'export.json');
    await expectRefusal((path) => rmSync(path), /config.json/, 'config.json');
    await expectRefusal((path) => rmSync(path), /no vocabulary/, 'tokenizer.json');
  });

  it('are no weights to export again', async () => {
    const again = exportModel(exported('parts'), join(folder, 'again'));
    await expect(again).rejects.toThrow(/is an exported model/);
    await expect(MDETR.fromPretrained(exported('parts'), { weights: 'ema' })).rejects.toThrow(/chosen by its export/);
    await expect(MDETR.fromPretrained(exported('parts'), { dtype: 'int8' })).rejects.toThrow(
      /exported as float32, not int8/,
    );
  });

  it('load in ONNX Runtime Web', async () => {
    vi.stubEnv('MDETR_RUNTIME', 'wasm');
    for (const layout of ['parts'] as const) {
      const model = await MDETR.fromPretrained(exported(layout), { threads: 1 });
      const { detections } = await model.detect(image, captions[0]!, { threshold: 0 });
      await model.dispose();
      const expected = await original.detect(image, captions[0]!, { threshold: 0 });
      expect(model.device).toBe('wasm');
      detections.forEach(({ score, query }) =>
        expect(score).toBeCloseTo(expected.detections.find((one) => one.query === query)!.score, 4),
      );
    }
  });

  it('refuse unknown options', async () => {
    await expect(exportModel(small, join(folder, 'x'), { dtype: 'int4' as 'int8' })).rejects.toThrow(/dtype must be/);
    await expect(exportModel(small, join(folder, 'x'), { layout: 'tree' as 'hub' })).rejects.toThrow(/layout/);
  });
});

describe('the precisions of an export', () => {
  it('store weights in half and a quarter of the bytes and find the same objects', async () => {
    const trained = await MDETR.fromPretrained('default', { threads: 1 });
    const [exact] = await trained.detect(image, captions, { threshold: 0.5 });
    await trained.dispose();
    const sizes: number[] = [];
    for (const [dtype, px] of [
      ['float32', 0.001],
      ['float16', 0.1],
      ['int8', 3],
    ] as const) {
      const out = join(folder, dtype);
      const { files } = await exportModel('default', out, { dtype });
      sizes.push(Object.values(files).reduce((sum, { bytes }) => sum + bytes, 0));
      const model = await MDETR.fromPretrained(out, { threads: 1 });
      const [found] = await model.detect(image, captions, { threshold: 0.5 });
      await model.dispose();
      expect(model.dtype).toBe(dtype);
      expect(exact!.detections.length).toBeGreaterThan(0);
      expect(found!.detections.map(({ query }) => query)).toEqual(exact!.detections.map(({ query }) => query));
      found!.detections.forEach(({ box, spans }, index) => {
        const wanted = exact!.detections[index]!;
        box.forEach((value, axis) => expect(Math.abs(value - wanted.box[axis]!)).toBeLessThan(px));
        expect(spans.map(({ text }) => text)).toEqual(wanted.spans.map(({ text }) => text));
      });
    }
    expect(sizes[1]! / sizes[0]!).toBeLessThan(0.58);
    expect(sizes[2]! / sizes[0]!).toBeLessThan(0.4);
  });

  it('share one folder, and are those of a model that is loaded in them', async () => {
    const out = join(folder, 'several');
    await exportModel(small, out, { layout: 'hub', dtype: ['int8', 'float16'] });
    expect(readdirSync(join(out, 'onnx')).sort()).toEqual(['model_fp16.onnx', 'model_quantized.onnx']);
    for (const [name, dtype] of [
      [out, undefined],
      [out, 'int8'],
      [small, 'int8'],
    ] as const) {
      const model = await MDETR.fromPretrained(name, { threads: 1, dtype });
      expect(model.dtype).toBe(dtype ?? 'float16');
      await model.dispose();
    }
  });
});

describe('a model on the hub', () => {
  it('is downloaded by its name, in a folder or exported, and then loads without the hub', async () => {
    const server = await FaultyServer.start();
    vi.stubEnv('HF_ENDPOINT', server.address);
    vi.stubEnv('HF_HUB_CACHE', join(folder, 'hub-cache'));
    vi.stubEnv('MDETR_CACHE', cacheDir);
    const hub = new HubFixture(server);
    hub.publishFolder('someone/exported', exported('hub'));
    const commit = hub.publishFolder('someone/folder', small, 'v1');
    const events: string[] = [];
    const onProgress = ({ status, name }: ProgressEvent) => events.push(`${status} ${name}`);
    const load = async (name: string, options: FromPretrainedOptions): Promise<number[][]> => {
      const model = await MDETR.fromPretrained(name, { threads: 1, ...options });
      const { detections, model: reported } = await model.detect(image, captions[0]!, { threshold: 0 });
      await model.dispose();
      expect(reported).toBe(name);
      return detections.map(({ box }) => [...box]);
    };
    const boxes = await load('someone/exported', { onProgress });
    expect(events).toContain('downloading onnx/model.onnx');
    const same = await load('someone/folder', { revision: 'v1' });
    same.forEach((box, index) => box.forEach((value, axis) => expect(value).toBeCloseTo(boxes[index]![axis]!, 2)));
    await server.stop();
    await load('someone/exported', { localFilesOnly: true });
    await load('someone/folder', { localFilesOnly: true, revision: commit });
    await expect(load('someone/else', { localFilesOnly: true })).rejects.toThrow(/is not in the cache/);
    await expect(load(small, { revision: 'v1' })).rejects.toThrow(/only models of the hub/);
  });
});

describe('the exported vocabulary', () => {
  it('of RoBERTa has the tokens of its two files', async () => {
    const read = (name: string): string => readFileSync(join(roberta, name), 'utf8');
    const json = robertaTokenizerJson(JSON.parse(read('vocab.json')), read('merges.txt'));
    const [ours, theirs] = [createTokenizer(json), await loadTokenizer(roberta)];
    for (const text of ['A dog, left of <mask> two cats.', ' naïve 😀 cafés ', '<s>x</s>'])
      expect([...ours.encode(text).ids]).toEqual([...theirs.encode(text).ids]);
  });

  it('of a closed vocabulary is a WordPiece model that finds whole words', async () => {
    const path = join(exported('hub'), 'tokenizer.json');
    expect(readFileSync(path, 'utf8')).toContain('"WordPiece"');
    const [ours, theirs] = [await loadTokenizer(path), await loadTokenizer(exported('single'))];
    for (const text of ['The spheres, a CUBE', 'sphered xyzzy'])
      expect(ours.encode(text).ids).toEqual(theirs.encode(text).ids);
  });
});
