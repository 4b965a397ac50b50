// Masks of what a caption mentions, without mdetr: npm install onnxruntime-node @huggingface/tokenizers sharp
//
//     mdetr export --out exported --single-file
//     node masks.mjs exported image.png "a large green sphere" [model_fp16.onnx]
import { readFileSync } from 'node:fs';
import { Tokenizer } from '@huggingface/tokenizers';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';

const [folder, path, caption, file = 'model.onnx'] = process.argv.slice(2);
const readJson = (name) => JSON.parse(readFileSync(`${folder}/${name}`, 'utf8'));
const { size, image_mean: mean, image_std: std } = readJson('preprocessor_config.json');
const session = await InferenceSession.create(`${folder}/${file}`);

const original = await sharp(path).metadata();
const sides = [original.width, original.height];
const scale = Math.min(size.shortest_edge / Math.min(...sides), size.longest_edge / Math.max(...sides));
const [width, height] = sides.map((side) => Math.round(side * scale));
const rgb = await sharp(path).removeAlpha().resize(width, height, { fit: 'fill', kernel: 'linear' }).raw().toBuffer();
const plane = (c) => Array.from({ length: width * height }, (_, i) => (rgb[3 * i + c] / 255 - mean[c]) / std[c]);
const pixels = [0, 1, 2].flatMap(plane);
const { ids } = new Tokenizer(readJson('tokenizer.json'), {}).encode(caption);
const { pred_logits: logits, pred_masks: masks } = await session.run({
  pixel_values: new Tensor('float32', pixels, [1, 3, height, width]),
  pixel_mask: new Tensor('int64', new Array(width * height).fill(1), [1, height, width]),
  input_ids: new Tensor('int64', ids, [1, ids.length]),
  attention_mask: new Tensor('int64', new Array(ids.length).fill(1), [1, ids.length]),
});
for (let query = 0; query < logits.dims[1]; query++) {
  const row = logits.data.subarray(query * 256, (query + 1) * 256).map(Math.exp);
  const score = 1 - row[255] / row.reduce((sum, value) => sum + value);
  const mask = masks.data.subarray(query * masks.dims[2] * masks.dims[3], (query + 1) * masks.dims[2] * masks.dims[3]);
  const area = mask.filter((logit) => logit > 0).length / mask.length;
  if (score > 0.5) console.log(JSON.stringify({ score, area }));
}
