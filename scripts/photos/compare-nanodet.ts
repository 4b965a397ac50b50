import { writeFileSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { nanodetLevels, syntheticImage } from '../../test/support/nanodet.ts';

/** The parts of tfjs that the comparison uses. */
interface Tfjs {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tensor(values: Float32Array, shape: readonly number[]): unknown;
  loadGraphModel(
    handler: unknown,
  ): Promise<{ execute(input: unknown, outputs: string[]): { data(): Promise<Float32Array> }[] }>;
  io: { fromMemory(artifacts: unknown): unknown };
}

/** Size for which the original graph was made. */
const SIDE = 416;
const SAMPLES = 24;

/**
 * Runs the original graph in tfjs and our engine on one synthetic image, prints the largest differences, and writes the
 * fixture of the test: some values of every output of the original.
 *
 * @throws {Error} if a score or a box distribution differs by more than 1e-3
 */
export const compareWithOriginal = async (folder: string, graphPath: string, weights: string): Promise<void> => {
  const require = createRequire(join(folder, 'index.js'));
  const tf = require('@tensorflow/tfjs') as Tfjs;
  const wasm = require('@tensorflow/tfjs-backend-wasm') as { setWasmPaths(path: string): void };
  wasm.setWasmPaths(`${dirname(require.resolve('@tensorflow/tfjs-backend-wasm'))}/`);
  await tf.setBackend('wasm').catch(() => tf.setBackend('cpu'));
  await tf.ready();
  const json = JSON.parse(readFileSync(graphPath, 'utf8')) as {
    modelTopology: unknown;
    weightsManifest: { paths: string[]; weights: unknown[] }[];
  };
  const data = readFileSync(join(dirname(graphPath), json.weightsManifest[0]!.paths[0]!));
  const model = await tf.loadGraphModel(
    tf.io.fromMemory({
      modelTopology: json.modelTopology,
      weightSpecs: json.weightsManifest[0]!.weights,
      weightData: data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength),
    }),
  );
  const { original, normalized } = syntheticImage(SIDE);
  const names = ['Identity:0', 'Identity_1:0', 'Identity_2:0', 'Identity_3:0', 'Identity_4:0', 'Identity_5:0'];
  const outputs = model.execute(tf.tensor(original, [1, 3, SIDE, SIDE]), names);
  const values = await Promise.all(outputs.map((output) => output.data()));
  const ours = await nanodetLevels(weights, normalized, SIDE);
  const fixture: Record<string, { index: number[]; value: number[] }> = {};
  let worst = 0;
  ours.forEach(({ scores, distances }, level) => {
    for (const [kind, found, expected] of [
      ['scores', scores, values[level]!],
      ['distances', distances, values[level + 3]!],
    ] as const) {
      if (found.length !== expected.length)
        throw new Error(`level ${level} ${kind}: ${found.length} values, not ${expected.length}`);
      const difference = found.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
      console.log(`level ${level} ${kind}: ${found.length} values, largest difference ${difference.toExponential(2)}`);
      worst = Math.max(worst, difference);
      const index = Array.from({ length: SAMPLES }, (_, k) => Math.floor(((k + 0.5) * expected.length) / SAMPLES));
      fixture[`${kind}${level}`] = { index, value: index.map((i) => Number(expected[i]!.toFixed(5))) };
    }
  });
  const path = `${weights}.fixture.json`;
  writeFileSync(path, JSON.stringify({ side: SIDE, outputs: fixture }));
  console.log(`${basename(path)}: values of the original for the test`);
  if (worst > 1e-3) throw new Error(`our engine differs from the original by ${worst}`);
};
