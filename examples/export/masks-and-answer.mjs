// Masks of what a text mentions, and the answer if it is a question, without mdetr: npm install onnxruntime-node @huggingface/tokenizers sharp
//
//     mdetr export --out exported --single-file
//     node masks-and-answer.mjs exported image.png "what color is the sphere?" [model_fp16.onnx]
import { readFileSync } from 'node:fs';
import { Tokenizer } from '@huggingface/tokenizers';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';

const ATTRIBUTES = 'small large gray red blue green brown purple cyan yellow cube sphere cylinder rubber metal'.split(
  ' ',
);
const [folder, path, text, file = 'model.onnx'] = process.argv.slice(2);
const readJson = (name) => JSON.parse(readFileSync(`${folder}/${name}`, 'utf8'));
const { size, image_mean: mean, image_std: std } = readJson('preprocessor_config.json');
const { width: w, height: h } = await sharp(path).metadata();
const scale = Math.min(size.shortest_edge / Math.min(w, h), size.longest_edge / Math.max(w, h));
const [width, height] = [w, h].map((side) => Math.round(side * scale));
const rgb = await sharp(path).removeAlpha().resize(width, height, { fit: 'fill', kernel: 'linear' }).raw().toBuffer();
const pixels = Float32Array.from(rgb, (_, i) => {
  const channel = Math.floor(i / (width * height));
  return (rgb[3 * (i % (width * height)) + channel] / 255 - mean[channel]) / std[channel];
});
const { ids } = new Tokenizer(readJson('tokenizer.json'), {}).encode(text);
const int64 = (values, dims) => new Tensor('int64', BigInt64Array.from(values, BigInt), dims);
const found = await (
  await InferenceSession.create(`${folder}/${file}`)
).run({
  pixel_values: new Tensor('float32', pixels, [1, 3, height, width]),
  pixel_mask: int64(new Array(width * height).fill(1), [1, height, width]),
  input_ids: int64(ids, [1, ids.length]),
  attention_mask: int64(new Array(ids.length).fill(1), [1, ids.length]),
});
const best = (name) => found[name].data.indexOf(Math.max(...found[name].data));
const yesNo = found.pred_answer_binary.data[0] > 0 ? 'yes' : 'no';
const answer = [yesNo, ATTRIBUTES[best('pred_answer_attr')], String(best('pred_answer_reg'))][best('pred_answer_type')];
const [, queries, rows, columns] = found.pred_masks.dims;
const objects = Array.from({ length: queries }, (_, query) => {
  const row = found.pred_logits.data.subarray(query * 256, (query + 1) * 256).map(Math.exp);
  const mask = found.pred_masks.data.subarray(query * rows * columns, (query + 1) * rows * columns);
  return {
    score: 1 - row[255] / row.reduce((a, b) => a + b),
    area: mask.filter((logit) => logit > 0).length / mask.length,
  };
});
console.log(JSON.stringify({ answer, objects: objects.filter(({ score }) => score > 0.5) }));
