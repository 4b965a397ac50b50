import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportModel } from '../../src/export/node/export-model.ts';
import { MDETR } from '../../src/inference/node/mdetr.ts';
import { batchImages, prepareImage } from '../../src/inference/preprocess.ts';
import { generateScene } from '../../src/scenes/index.ts';

const VERSION = '4.3.1';
const npm = (folder: string, ...args: readonly string[]) =>
  spawnSync('npm', args, { cwd: folder, encoding: 'utf8', shell: process.platform === 'win32' });
const hasRegistry = npm(tmpdir(), 'view', `@huggingface/transformers@${VERSION}`, 'version').status === 0;
const caption = 'a large green sphere and the small purple cylinder';

/** Precisions, and how transformers.js names them. */
const DTYPES = { float32: 'fp32', float16: 'fp16', int8: 'q8' } as const;

/** Runs the exported folder with transformers.js on given pixel values and prints logits and boxes. */
const CONSUMER = `
import { readFileSync } from 'node:fs';
import { AutoModel, AutoTokenizer, env, Tensor } from '@huggingface/transformers';
env.allowRemoteModels = false;
const [folder, pixels, dims, caption, dtype] = process.argv.slice(2);
const tokenizer = await AutoTokenizer.from_pretrained(folder);
const model = await AutoModel.from_pretrained(folder, { dtype });
const bytes = readFileSync(pixels);
const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
const pixel_mask = new Tensor('int64', new BigInt64Array(64 * 64).fill(1n), [1, 64, 64]);
const inputs = { ...tokenizer(caption), pixel_values: new Tensor('float32', values, JSON.parse(dims)), pixel_mask };
const { pred_logits, pred_boxes } = await model(inputs);
console.log(JSON.stringify({ logits: [...pred_logits.data], boxes: [...pred_boxes.data] }));
`;

describe.skipIf(!hasRegistry)(
  `transformers.js${hasRegistry ? '' : ' (skipped: the npm registry cannot be reached)'}`,
  { timeout: 280_000 },
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'mdetr-hub-consumers-'));
    beforeAll(() => {
      writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
      const install = npm(folder, 'install', '--ignore-scripts', `@huggingface/transformers@${VERSION}`);
      expect(install.status, install.stderr).toBe(0);
    }, 280_000);
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it('loads a folder in the hub layout from disk and gives our logits in every precision', async () => {
      const exported = join(folder, 'exported');
      await exportModel('default', exported, { layout: 'hub', dtype: Object.keys(DTYPES) as (keyof typeof DTYPES)[] });
      const { image } = generateScene(1, 0, { width: 480, height: 320 });
      const { tensors, height, width } = batchImages([prepareImage(image, { shortestEdge: 96, longestEdge: 144 })]);
      writeFileSync(join(folder, 'pixels.bin'), new Uint8Array(tensors.buffer, tensors.byteOffset, tensors.byteLength));
      writeFileSync(join(folder, 'consumer.mjs'), CONSUMER);
      const worst = (a: readonly number[], b: Float32Array): number =>
        a.reduce((largest, value, index) => Math.max(largest, Math.abs(value - b[index]!)), 0);
      for (const [dtype, theirs] of Object.entries(DTYPES)) {
        const model = await MDETR.fromPretrained(exported, { threads: 1, dtype: dtype as keyof typeof DTYPES });
        const expected = (await model.predict([{ image, text: caption }])).detection(0);
        await model.dispose();
        const shape = JSON.stringify([1, 3, height, width]);
        const args = ['consumer.mjs', './exported', 'pixels.bin', shape, caption, theirs];
        const output = execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
        const found = JSON.parse(output) as { logits: number[]; boxes: number[] };
        expect(found.logits).toHaveLength(expected.logits.length);
        expect(worst(found.logits, expected.logits), dtype).toBeLessThan(1e-4);
        expect(worst(found.boxes, expected.boxes), dtype).toBeLessThan(1e-4);
      }
    });
  },
);
