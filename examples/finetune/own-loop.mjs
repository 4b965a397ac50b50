/**
 * The same with a loop of one's own:
 *
 *     node examples/finetune/own-loop.mjs
 */
import { readFileSync } from 'node:fs';
import { MDETR, Training } from 'mdetr';

const steps = Number(process.env.STEPS ?? 120);
const folder = process.env.OUT ?? 'runs/finetune-own-loop';
const training = await Training.open('examples/finetune/config.json', {
  settings: [`max_steps=${steps}`],
  onNote: (text) => console.error(text),
});

// Batches from the annotation file of the config, varied by random sizes and crops. One's own would be made by
// training.batchOf([{ image: 'a.jpg', caption: 'a dog', boxes: [{ box: [10, 20, 80, 90], phrase: 'dog' }] }, …]).
for await (const batch of training.batches()) {
  const { step, total, rates } = await training.step(batch);
  if (step % 10 === 0) console.error(`step ${step}: loss ${total.toFixed(2)}, rate ${rates.main.toExponential(1)}`);
  if (step + 1 >= training.totalSteps) break;
}
await training.saveModel(folder);
await training.dispose();

// Detections in an image of the validation set.
const model = await MDETR.fromPretrained(folder);
const [{ file_name: file, caption }] = JSON.parse(readFileSync('examples/finetune/val.json', 'utf8')).images;
const { detections } = await model.detect(`examples/finetune/pictures/${file}`, caption, { threshold: 0.5 });
console.log(caption);
for (const { box, score, spans } of detections)
  console.log(`  ${spans[0]?.text ?? '-'}: ${box.map(Math.round).join(', ')} (${score.toFixed(2)})`);
await model.dispose();
