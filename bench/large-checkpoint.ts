import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Converts in a process of its own and prints the most memory that it used, in MB. */
const CONVERT = `
import { convertModel } from './src/model-folder/node/convert.ts';
const [from, to, tokenizer] = process.argv.slice(1);
await convertModel(from, to, { dtype: 'float16', tokenizer });
console.log(process.resourceUsage().maxRSS / 1024);
`;

/** Writes a checkpoint with the weights, their moving average and two moments. */
const WRITE = `
import { MdetrNetwork, initialValue, parseModelConfig } from './src/models/index.ts';
import { PickledTensor, writePth } from './src/checkpoints/pth/write-pth.ts';
import { tensorSource } from './src/checkpoints/tensor-source.ts';
const [path] = process.argv.slice(1);
const args = { backbone: 'resnet101', text_encoder_type: 'roberta-base' };
const { registry } = new MdetrNetwork(parseModelConfig(args));
const tensors = registry.specs
  .filter(({ dtype }) => dtype === 'float32')
  .map((spec) => ({
    ...tensorSource(spec.name, spec.shape, new Float32Array(0)),
    read: async () => {
      const { buffer, byteOffset, byteLength } = initialValue(spec, 1).data;
      return new Uint8Array(buffer, byteOffset, byteLength);
    },
  }));
const moments = (tensor) => new Map(['exp_avg', 'exp_avg_sq'].map((name) => [name, new PickledTensor(tensor)]));
const optimizer = new Map([['state', new Map(tensors.map((tensor, index) => [index, moments(tensor)]))], ['param_groups', []]]);
await writePth(path, { model: tensors, ema: tensors, optimizer, args, epoch: 4 });
`;

const run = (script: string, ...args: readonly string[]): string =>
  execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script, ...args], {
    encoding: 'utf8',
    cwd: join(import.meta.dirname, '..'),
  });

/** A checkpoint of official size, moving average and optimizer included, becomes a float16 folder with one command. */
export const convertLargeCheckpoint = (folder: string): Record<string, number> => {
  const [checkpoint, out] = [join(folder, 'checkpoint.pth'), join(folder, 'half')];
  run(WRITE, checkpoint);
  const started = performance.now();
  const memory = Number(run(CONVERT, checkpoint, out, 'test/fixtures/reference/roberta'));
  const seconds = (performance.now() - started) / 1000;
  const bytes = readdirSync(out).reduce((sum, name) => sum + statSync(join(out, name)).size, 0);
  return { checkpoint_mb: statSync(checkpoint).size / 1e6, folder_mb: bytes / 1e6, seconds, memory_mb: memory };
};
