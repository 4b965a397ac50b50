/**
 * Writes the embedded default model from a training run: weights in half precision, config, vocabulary, and a model card with
 * the training settings and metrics.
 *
 *     npx tsx scripts/reproduce/ship-model.ts RUN/masks/last --run RUN --results results.json [--before old.json] [--out models/default]
 *
 * RUN has one folder per training stage; `results.json` is the output of `mdetr evaluate … --json` for these weights, `old.json`
 * that for the model shipped before, on the same scenes.
 */
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { tensorSource, type TensorSource } from '../../src/checkpoints/index.ts';
import { parseModelConfig } from '../../src/models/index.ts';
import { openModelFiles, requireConfig, tokenizerFilesIn } from '../../src/model-folder/node/model-files.ts';
import { writeModelFolder } from '../../src/model-folder/node/write-model-folder.ts';
import { readPreprocessing } from '../../src/model-folder/node/model-source.ts';
import { readRunState } from '../../src/train/run/run-state.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    run: { type: 'string' },
    results: { type: 'string' },
    before: { type: 'string' },
    command: { type: 'string', default: 'npx mdetr train configs/scenes/default.json --output-dir runs/scenes' },
    machine: { type: 'string', default: 'one core of a 2-core AMD EPYC (AVX-512), shared with other work' },
    out: { type: 'string', default: join(root, 'models/default') },
  },
});
const [from] = positionals;
if (from === undefined || options.run === undefined || options.results === undefined)
  throw new Error('usage: ship-model.ts MODEL --run RUN --results RESULTS.json');

/** Training stage in the model card. */
interface StageSummary {
  readonly name: string;
  readonly steps: number;
  readonly pairs: number;
  readonly hours: number;
  readonly seed: number;
}

const readStages = async (run: string): Promise<StageSummary[]> => {
  const { stages } = JSON.parse(await readFile(join(root, 'configs/scenes/default.json'), 'utf8')) as {
    stages: { name: string }[];
  };
  return Promise.all(
    stages.map(async ({ name }) => {
      const { position, trainer, config } = await readRunState(join(run, name, 'state.safetensors'));
      const lines = (await readFile(join(run, name, 'log.jsonl'), 'utf8')).trim().split('\n');
      const entries = lines.map((line) => JSON.parse(line) as { kind: string; pairs?: number });
      const pairs = entries.findLast(({ kind }) => kind === 'train')?.pairs ?? 0;
      return { name, steps: trainer.step, pairs, hours: position.seconds / 3600, seed: Number(config['seed']) };
    }),
  );
};

interface EvaluationFile {
  readonly results: readonly { readonly title: string; readonly metrics: Readonly<Record<string, number>> }[];
}

/** Metrics of every split side by side, each with its number of items; results and items alternate. */
const metricsTable = ({ results }: EvaluationFile, before: EvaluationFile | undefined): string => {
  const splits = results.filter(({ title }) => title !== 'items');
  const items = results.filter(({ title }) => title === 'items');
  const names = [...new Set(splits.flatMap(({ metrics }) => Object.keys(metrics)))];
  const cell = (split: number, name: string): string => {
    const { title, metrics } = splits[split]!;
    const value = metrics[name];
    if (value === undefined) return '–';
    const old = before?.results.find((result) => result.title === title)?.metrics[name];
    const change = old === undefined ? '' : `${old.toFixed(4)} → `;
    return `${change}${value.toFixed(4)} (${items[split]?.metrics[name] ?? '?'})`;
  };
  return [
    `| | ${splits.map(({ title }) => title).join(' | ')} |`,
    `|---|${splits.map(() => '---|').join('')}`,
    ...names.map((name) => `| ${name} | ${splits.map((_, split) => cell(split, name)).join(' | ')} |`),
  ].join('\n');
};

const readEvaluation = async (path: string): Promise<EvaluationFile> =>
  JSON.parse(await readFile(path, 'utf8')) as EvaluationFile;

const files = await openModelFiles(from);
try {
  const { checkpoint } = files;
  if (checkpoint === undefined) throw new Error(`${from}: has no trained weights`);
  const { values, source } = requireConfig(files);
  const config = parseModelConfig(values, source);
  const tensors: TensorSource[] = [];
  let count = 0;
  for (const entry of checkpoint.tensors.values()) {
    if (entry.name.endsWith('position_ids')) continue;
    const data = await entry.readFloat32();
    count += data.length;
    tensors.push(tensorSource(entry.name, entry.shape, data, 'f16'));
  }
  const preprocessing = await readPreprocessing(join(files.folder, 'preprocessor_config.json'), config);
  const stages = await readStages(options.run);
  const results = await readEvaluation(options.results);
  const before = options.before === undefined ? undefined : await readEvaluation(options.before);
  const total = stages.reduce((sum, { hours }) => sum + hours, 0);
  const card = `# default: MDETR for procedural scenes

A small MDETR for the procedural scenes of \`mdetr scenes\`: shapes on gray ground, in the style of CLEVR. It detects what a
caption mentions (\`detect\`, with \`--masks\`), the object that an expression refers to (\`refer\`), and answers questions of CLEVR's
types (\`ask\`).

**It works on such scenes only.** Photographs get a warning: results for them are meaningless. For photographs use
\`--model photos\` or a published checkpoint (\`mdetr pull --list\`). It was taught the words of its scenes; others have pre-trained vectors
or are read in pieces, and mean nothing until they are trained.

| | |
|---|---|
| Weights | ${count.toLocaleString('en-US')} values in half precision, moving average of the last stage |
| Data | procedural scenes of seed 1 at 144 × 96 pixels, standard split, new captions in every epoch |
| Command | \`${options.command}\` |
| Seed | ${stages[0]!.seed} |
| Time | ${total.toFixed(2)} hours on ${options.machine} |
| Image size | shorter side ${preprocessing.shortestEdge}, longer side at most ${preprocessing.longestEdge} pixels |

| stage | steps | image-text pairs | hours |
|---|---|---|---|
${stages.map(({ name, steps, pairs, hours }) => `| ${name} | ${steps} | ${pairs.toLocaleString('en-US')} | ${hours.toFixed(2)} |`).join('\n')}

In the stage \`backbone\`, a pair is an image without a caption.

## Metrics

\`npx mdetr evaluate configs/scenes/default.json --model models/default\`: 2,000 scenes of a seed that training never used,
number of samples in brackets${before === undefined ? '' : '; the first number is that of the model before this one, on the same scenes'}. The split \`cogent-b\` has other combinations of shape and color than \`cogent-a\`; this model was
trained on all of them.

${metricsTable(results, before)}
`;
  const words = join(files.folder, 'words.json');
  await writeModelFolder(
    options.out,
    {
      config: { ...values, made_for: 'scenes' },
      tensors,
      preprocessing,
      tokenizerFiles: await tokenizerFilesIn(files.folder),
      words: existsSync(words) ? words : undefined,
      card,
    },
    { force: true },
  );
  const { size } = await stat(join(options.out, 'model.safetensors'));
  process.stdout.write(`${options.out}: ${tensors.length} tensors, ${(size / 1e6).toFixed(2)} MB\n`);
} finally {
  await files.close();
}
