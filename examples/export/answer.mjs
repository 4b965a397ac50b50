// Answer to a question about CLEVR's attributes, without mdetr: npm install onnxruntime-node @huggingface/tokenizers sharp
//
//     mdetr export --out exported --single-file
//     node answer.mjs exported image.png "what color is the sphere?" [model_fp16.onnx]
import { readFileSync } from 'node:fs';
import { Tokenizer } from '@huggingface/tokenizers';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';

const [folder, path, question, file = 'model.onnx'] = process.argv.slice(2);
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
const { ids } = new Tokenizer(readJson('tokenizer.json'), {}).encode(question);
const found = await session.run({
  pixel_values: new Tensor('float32', pixels, [1, 3, height, width]),
  pixel_mask: new Tensor('int64', new Array(width * height).fill(1), [1, height, width]),
  input_ids: new Tensor('int64', ids, [1, ids.length]),
  attention_mask: new Tensor('int64', new Array(ids.length).fill(1), [1, ids.length]),
});
const best = (name) => found[name].data.indexOf(Math.max(...found[name].data));
const VALUES = 'small large gray red blue green brown purple cyan yellow cube sphere cylinder rubber metal'.split(' ');
const yesNo = found.pred_answer_binary.data[0] > 0 ? 'yes' : 'no';
const answers = [yesNo, VALUES[best('pred_answer_attr')], String(best('pred_answer_reg'))];
console.log(JSON.stringify({ answer: answers[best('pred_answer_type')] }));
