// Fine-tunes the default model on annotated images and keeps the best model: node finetune-with-validation.mjs OUT [STEPS]
import { MDETR } from 'mdetr';
import { runTraining } from 'mdetr/train';

const [out, steps = '100'] = process.argv.slice(2);
const validations = [];
await runTraining('examples/finetune/config.json', {
  settings: [`output_dir=${JSON.stringify(out)}`, `max_steps=${steps}`, `validate_every=${steps}`, 'log_every=1'],
  observer: { onValidation: (validation) => validations.push(validation) },
});
const model = await MDETR.fromPretrained(`${out}/best`);
const { detections } = await model.detect('examples/finetune/pictures/val-1.png', 'a red ball and a blue cube', {
  threshold: 0,
});
console.log(JSON.stringify({ validations: validations.length, detections: detections.length }));
await model.dispose();
