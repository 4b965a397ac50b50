import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { openCheckpoint } from '../../src/checkpoints/open-checkpoint.ts';
import { jsonOf } from '../../src/checkpoints/pickle/pickle-values.ts';
import { readPickle } from '../../src/checkpoints/pickle/pickle.ts';
import {
  type Picklable,
  PickleOrderedDict,
  PickleTuple,
  PickleWriter,
} from '../../src/checkpoints/pickle/pickle-writer.ts';
import { writePth } from '../../src/checkpoints/pth/write-pth.ts';
import { writeSafetensors } from '../../src/checkpoints/safetensors/write-safetensors.ts';
import { tensorSource, type TensorSource } from '../../src/checkpoints/tensor-source.ts';
import { AnnotationIndex } from '../../src/data/annotation-index/annotation-index.ts';
import { RowReader } from '../../src/data/annotation-index/row-reader.ts';
import { maskFromAnnotation, targetFromRow } from '../../src/data/format/row-target.ts';
import { decodeImage } from '../../src/data/images/node/decode-image.ts';
import { parseJson } from '../../src/files/json/json-text.ts';
import { maskArea, maskFromDense, packMask } from '../../src/geometry/run-lengths.ts';
import { convertModel } from '../../src/model-folder/node/convert.ts';
import { parsePreprocessing } from '../../src/model-folder/preprocessing.ts';
import { MdetrNetwork, parseModelConfig } from '../../src/models/index.ts';
import { createTokenizer } from '../../src/text/tokenizer/tokenizer.ts';
import { buildWordLevelTokenizerJson } from '../../src/text/tokenizer/build-tokenizer-json.ts';
import { readConfigFile } from '../../src/train/config/config-file.ts';
import { parseTrainConfig } from '../../src/train/config/config.ts';
import { readRunFacts, readRunState, writeRunState } from '../../src/train/run/run-state.ts';
import { floats, legacyFile, opcodes, stateDictPickle, temporaryFolder, text } from '../support/weight-files.ts';
import type { InputFolders, Reader } from './reader.ts';

const TEN = Array.from({ length: 10 }, (_, i) => i);

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

/** Writes the input as a file. */
const asFile = (bytes: Uint8Array, { input }: InputFolders, name: string): string => {
  const path = join(input, name);
  writeFileSync(path, bytes);
  return path;
};

/** Contents of the file that `write` makes. */
const made = async (name: string, write: (path: string) => Promise<void>): Promise<Uint8Array> => {
  const folder = temporaryFolder();
  try {
    await write(folder.file(name));
    return readFileSync(folder.file(name));
  } finally {
    folder.remove();
  }
};

const tensors = (count: number, dtype: 'f32' | 'f16' = 'f32'): TensorSource[] =>
  Array.from({ length: count }, (_, i) =>
    tensorSource(`layer.${i}.weight`, [i + 1, 2], new Float32Array(2 * i + 2), dtype),
  );

/** Reads all tensors. @returns whether the file says which network it is for */
const readWeights = async (path: string): Promise<boolean> => {
  const checkpoint = await openCheckpoint(path);
  try {
    for (const entry of checkpoint.tensors.values()) await entry.readFloat32();
    return checkpoint.args !== undefined || checkpoint.metadata['config'] !== undefined;
  } finally {
    await checkpoint.close();
  }
};

const pickles: readonly Picklable[] = [
  null,
  [1, 2.5, 'text', true, null, -7, 2n ** 70n],
  new PickleTuple([1, 'a', []]),
  new Map<Picklable, Picklable>([['refs', [{}].map(() => new Map<Picklable, Picklable>([['sent', 'the dog']]))]]),
  new PickleOrderedDict([
    ['a', 1],
    ['b', [2, 3]],
  ]),
  Array.from({ length: 100 }, (_, i) => i * 1000),
  [['nested', [['deeper', [['deepest', []]]]]]],
  'é'.repeat(300),
  new Map<Picklable, Picklable>([[1, new Map<Picklable, Picklable>([[2, new Map<Picklable, Picklable>([[3, 4]])]])]]),
];

const pickleReader: Reader = {
  name: 'pickle',
  seeds: () =>
    Promise.resolve([
      ...pickles.map((value) => PickleWriter.pickle(value).bytes),
      opcodes("(dp0\nS'a'\np1\n(lp2\nI1\naF2.5\nas."),
      opcodes('\x80\x02c_codecs\nencode\n', text('bytes'), text('latin1'), '\x86Rq\x00h\x00\x86.'),
    ]),
  read: (bytes) => void jsonOf(readPickle(bytes), 'pickle'),
};

const zipReader: Reader = {
  name: 'zip',
  seeds: () =>
    Promise.all(
      TEN.map((i) =>
        made('seed.pth', (path) =>
          writePth(path, {
            model: tensors(i + 1, i % 2 === 0 ? 'f32' : 'f16'),
            ema: i % 3 === 0 ? tensors(2) : undefined,
            epoch: i,
            args: i % 4 === 0 ? undefined : { hidden_dim: 8, name: 'x', list: [1, 2, { deep: i }] },
          }),
        ),
      ),
    ),
  async read(bytes, folders) {
    const path = asFile(bytes, folders, 'input.pth');
    // The network would refuse these small tensors.
    if (!(await readWeights(path))) await convertModel(path, join(folders.target, 'out.safetensors'));
  },
};

const legacyReader: Reader = {
  name: 'pth-legacy',
  seeds: () =>
    Promise.resolve(
      TEN.map((i) => {
        const values = floats(...Array.from({ length: i + 1 }, (_, k) => k));
        const spec = { elements: i + 1, shape: [i + 1] };
        return legacyFile(stateDictPickle({ w: spec, v: spec }), ['0'], [{ count: BigInt(i + 1), bytes: values }]);
      }),
    ),
  async read(bytes, folders) {
    await readWeights(asFile(bytes, folders, 'input.pth'));
  },
};

const safetensorsReader: Reader = {
  name: 'safetensors',
  seeds: () =>
    Promise.all(
      TEN.map((i) =>
        made('seed.safetensors', (path) =>
          writeSafetensors(path, tensors(i + 1, i % 2 === 0 ? 'f32' : 'f16'), i % 3 === 0 ? {} : { config: '{}' }),
        ),
      ),
    ),
  async read(bytes, folders) {
    await readWeights(asFile(bytes, folders, 'input.safetensors'));
  },
};

const shardReader: Reader = {
  name: 'shard-index',
  seeds: () =>
    Promise.resolve(
      TEN.map((i) =>
        json({
          metadata: { total_size: 8 * i },
          weight_map: Object.fromEntries(tensors(3).map(({ name }) => [name, 'shard.safetensors'])),
        }),
      ),
    ),
  async read(bytes, folders) {
    await writeSafetensors(join(folders.input, 'shard.safetensors'), tensors(3));
    await readWeights(asFile(bytes, folders, 'model.safetensors.index.json'));
  },
};

const WORDS = ['red', 'green', 'blue', 'cube', 'sphere', 'left', 'of', 'the', 'large', 'small'];

const bytePairTokenizer = (merges: readonly unknown[]): unknown => {
  const tokens = ['<s>', '<pad>', '</s>', '<unk>', 'a', 'b', 'c', 'Ġ', 'ab', 'abc', 'Ġa', '<mask>'];
  return {
    added_tokens: [{ id: 11, content: '<mask>', lstrip: true }],
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false },
    post_processor: { type: 'RobertaProcessing', sep: ['</s>', 2], cls: ['<s>', 0] },
    model: { type: 'BPE', vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges },
  };
};

const tokenizerReader: Reader = {
  name: 'tokenizer',
  seeds: () =>
    Promise.resolve([
      ...TEN.slice(0, 6).map((i) => json(buildWordLevelTokenizerJson(WORDS.slice(i)))),
      json(bytePairTokenizer(['a b', 'ab c', 'Ġ a'])),
      json(
        bytePairTokenizer([
          ['a', 'b'],
          ['ab', 'c'],
        ]),
      ),
      json(bytePairTokenizer([])),
      json(bytePairTokenizer(['a b'])),
    ]),
  read(bytes) {
    const tokenizer = createTokenizer(parseJson(textOf(bytes), 'tokenizer.json'));
    for (const caption of ['', 'the large red cube', ' abc <mask> ab', `é😀${'a'.repeat(400)}`, '<s></s>'])
      tokenizer.encode(caption, { truncation: 'end' });
  },
};

const polygon = [1, 1, 20, 1, 20, 15, 1, 15];
const mask = packMask(
  maskFromDense(
    Uint8Array.from({ length: 600 }, (_, i) => Number(i % 7 < 3)),
    20,
    30,
  ),
);
const segmentations: readonly unknown[] = [
  [polygon],
  polygon,
  [polygon, [2, 2, 8, 2, 5, 9]],
  { size: [20, 30], counts: mask.counts },
  { size: [20, 30], counts: [100, 50, 450] },
  { size: [20, 30], counts: [600] },
  [[0.5, 0.5, 29.5, 0.5, 29.5, 19.5]],
  [[-5, -5, 40, -5, 40, 40]],
  [],
  null,
];

const annotationOf = (i: number): Record<string, unknown> => ({
  id: i + 1,
  image_id: 1,
  category_id: 1,
  bbox: [1, 1, 10 + i, 10],
  area: 100,
  iscrowd: 0,
  segmentation: segmentations[i],
  tokens_positive: [[4, 13]],
});

const imageOf = (i: number): Record<string, unknown> => ({
  id: 1,
  file_name: 'a.jpg',
  width: 30,
  height: 20,
  caption: 'the large red cube',
  tokens_negative: [[0, 18]],
  tokens_positive_eval: i % 2 === 0 ? [[[4, 13]]] : undefined,
  data_source: i % 3 === 0 ? 'coco' : undefined,
});

const readRows = (path: string, folders: InputFolders): void => {
  const index = AnnotationIndex.open(path, { cacheFolder: folders.target });
  try {
    const reader = new RowReader(index, { onBadRow: 'skip' });
    for (let row = 0; row < Math.min(index.length, 20); row++) {
      const checked = reader.read(row);
      if (checked !== undefined) targetFromRow(checked, [20, 30]);
    }
    for (const name of ['info', 'licenses', 'categories'] as const) index.section(name);
  } finally {
    index.close();
  }
};

const annotationSeeds = TEN.map((i) => ({
  info: { description: 'seed' },
  images: [imageOf(i), { ...imageOf(i + 1), id: 2 }],
  annotations: TEN.slice(0, i + 1).map(annotationOf),
  categories: [{ id: 1, name: 'object' }],
}));

const annotationReader: Reader = {
  name: 'annotations-json',
  seeds: () => Promise.resolve(annotationSeeds.map(json)),
  read: (bytes, folders) => readRows(asFile(bytes, folders, 'input.json'), folders),
};

const lineReader: Reader = {
  name: 'annotations-jsonl',
  seeds: () =>
    Promise.resolve(
      TEN.map((i) =>
        Buffer.from(
          Array.from({ length: i + 1 }, (_, k) =>
            JSON.stringify({ ...imageOf(k), id: k, annotations: [annotationOf(k)] }),
          ).join('\n'),
        ),
      ),
    ),
  read: (bytes, folders) => readRows(asFile(bytes, folders, 'input.jsonl'), folders),
};

const INDEX_HEADER_BYTES = 4096;
const INDEX_PREFIX_BYTES = 16;

/**
 * The index of an annotation file. An input is the JSON of its header, a zero and its tables, without the padding between
 * them; the fingerprint of the annotation file is written into it, since every index would be outdated otherwise.
 */
const indexReader: Reader = {
  name: 'index',
  seeds: async () => {
    const files = await Promise.all(
      annotationSeeds.map((contents) =>
        made('a.json.mdetr-index', (path) => {
          const source = path.replace('.mdetr-index', '');
          writeFileSync(source, json(contents));
          AnnotationIndex.open(source).close();
          return Promise.resolve();
        }),
      ),
    );
    return files.map((file) => {
      const length = Buffer.from(file).readUInt32LE(12);
      const header = file.subarray(INDEX_PREFIX_BYTES, INDEX_PREFIX_BYTES + length);
      return Buffer.concat([header, Buffer.alloc(1), file.subarray(INDEX_HEADER_BYTES)]);
    });
  },
  read(bytes, folders) {
    const input = Buffer.from(bytes);
    const end = input.indexOf(0) < 0 ? input.length : input.indexOf(0);
    const headerText = input.toString('latin1', 0, end);
    const annotations = Number(/"annotations":(\d+)/.exec(headerText)?.[1]);
    const source = asFile(json(annotationSeeds[annotations - 1] ?? annotationSeeds[9]), folders, 'input.json');
    AnnotationIndex.open(source).close();
    const head = Buffer.alloc(INDEX_HEADER_BYTES);
    readFileSync(`${source}.mdetr-index`).copy(head, 0, 0, INDEX_HEADER_BYTES);
    const fingerprint = /"source":\{[^}]*\}/.exec(head.toString('latin1'))![0];
    const header = headerText
      .replace(/"source":\{[^}]*\}/, fingerprint)
      .slice(0, INDEX_HEADER_BYTES - INDEX_PREFIX_BYTES);
    head.fill(0, INDEX_PREFIX_BYTES).write(header, INDEX_PREFIX_BYTES, 'latin1');
    head.writeUInt32LE(header.length, 12);
    asFile(Buffer.concat([head, input.subarray(end + 1)]), folders, 'input.json.mdetr-index');
    readRows(source, folders);
  },
};

const stateReader: Reader = {
  name: 'state',
  seeds: () =>
    Promise.all(
      TEN.map((i) =>
        made('state.safetensors', (path) => {
          const data = new Float32Array(i + 1);
          const value = { dtype: 'float32' as const, shape: [i + 1], data };
          return writeRunState(path, {
            trainer: {
              step: i,
              parameters: new Map([['w', value]]),
              average: i % 2 === 0 ? undefined : new Map([['w', value]]),
              moments: new Map([['w', { step: i, first: data, second: data }]]),
            },
            position: {
              epoch: i,
              batch: 0,
              logBytes: 10,
              eventBytes: 0,
              seconds: 1.5,
              skippedRows: [1, 2],
              isDone: false,
            },
            config: { lr: 1e-4 },
          });
        }),
      ),
    ),
  async read(bytes, folders) {
    const path = asFile(bytes, folders, 'state.safetensors');
    await readRunFacts(path);
    await readRunState(path);
  },
};

const configReader: Reader = {
  name: 'config',
  seeds: () =>
    Promise.resolve(
      TEN.map((i) =>
        json({
          backbone: i % 2 === 0 ? 'resnet18' : 'resnet50',
          hidden_dim: 32,
          nheads: 4,
          enc_layers: 1 + (i % 2),
          dec_layers: 1,
          dim_feedforward: 64,
          num_queries: 5,
          text_encoder_type: 'tiny-roberta',
          aux_loss: i % 3 === 0,
          size: { shortest_edge: 96, longest_edge: 144 },
          lr: 1e-4,
          epochs: 2,
          batch_size: 2,
          mask_model: i % 4 === 0 ? 'smallconv' : 'none',
        }),
      ),
    ),
  async read(bytes, folders) {
    const path = asFile(bytes, folders, 'config.json');
    const { stages } = await readConfigFile(path);
    for (const { values } of stages) {
      const { size, ...rest } = values;
      parsePreprocessing({ size }, path);
      new MdetrNetwork(parseModelConfig(rest, path));
      parseTrainConfig(rest, path);
    }
  },
};

const maskReader: Reader = {
  name: 'rle-polygons',
  seeds: () =>
    Promise.resolve(
      segmentations
        .slice(0, 8)
        .concat([[polygon.map((x) => x + 0.25)], { size: [20, 30], counts: [0, 600] }])
        .map(json),
    ),
  read(bytes) {
    const segmentation = parseJson(textOf(bytes), 'segmentation') as never;
    maskArea(maskFromAnnotation({ id: 1, segmentation }, [20, 30], 'a.jpg'));
  },
};

const imageReader: Reader = {
  name: 'images',
  seeds: () => {
    const pixels = Buffer.from(Array.from({ length: 24 * 16 * 3 }, (_, i) => (i * 37) % 256));
    const image = (): Sharp => sharp(pixels, { raw: { width: 24, height: 16, channels: 3 } });
    return Promise.all([
      image().png().toBuffer(),
      image().jpeg().toBuffer(),
      image().webp().toBuffer(),
      image().gif().toBuffer(),
      image().tiff().toBuffer(),
      image().png({ palette: true }).toBuffer(),
      image().jpeg({ progressive: true }).withMetadata({ orientation: 6 }).toBuffer(),
      image().grayscale().png().toBuffer(),
      image().toColorspace('cmyk').jpeg().toBuffer(),
      image().ensureAlpha().webp({ lossless: true }).toBuffer(),
      image().tiff({ compression: 'lzw' }).toBuffer(),
    ]);
  },
  async read(bytes) {
    await decodeImage(bytes, { name: 'image' });
  },
};

/** All readers of files that people bring. */
export const READERS: readonly Reader[] = [
  pickleReader,
  zipReader,
  legacyReader,
  safetensorsReader,
  shardReader,
  tokenizerReader,
  annotationReader,
  lineReader,
  indexReader,
  stateReader,
  configReader,
  maskReader,
  imageReader,
];
