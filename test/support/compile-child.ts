/** Child process of tests: loads the small program through the cache folder in argv[2]. */
import { NodeRuntime } from '../../src/engine/runtime/node/node-runtime.ts';
import { ProgramCache } from '../../src/engine/runtime/node/program-cache.ts';
import { countingWeights, sampleInput, smallProgram } from './small-program.ts';

const [, , folder, mode] = process.argv;
const weights = countingWeights({
  async onRead(name) {
    if (mode !== 'hang' || name !== 'plain') return;
    // The test kills the process here, when only some of the weights are written.
    process.stdout.write('writing\n');
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  },
});
const runtime = new NodeRuntime({ threads: 1, cache: new ProgramCache({ folder: folder! }) });
const session = await runtime.load(smallProgram(), { weights });
const { y } = await session.run({ x: sampleInput });
process.stdout.write(JSON.stringify({ reads: weights.reads.length, y: Array.from(y!.data, Number) }) + '\n');
