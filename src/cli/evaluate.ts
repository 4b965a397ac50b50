import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { z } from 'zod';
import { writeAtomically } from '../checkpoints/index.ts';
import { SPLITS, type SceneSplit } from '../data/scenes/splits.ts';
import { MdetrError, messageOf, UsageError } from '../errors.ts';
import { resultsJson, resultsTable } from '../evaluation/results-table.ts';
import { annotationTasks, evaluateAnnotations, type AnnotationTask } from '../tasks/annotation-task.ts';
import { evaluateScenes } from '../tasks/scenes-task.ts';
import type { TaskReport } from '../tasks/task-report.ts';
import { worstCasesPage } from '../tasks/worst-page.ts';
import { fraction, wholeFrom } from './option-values.ts';
import { addModelOptions, loadModel, type ModelOptions } from './model-options.ts';
import { note, Progress } from './progress.ts';

type TaskName = AnnotationTask | 'scenes';

interface EvaluateOptions extends ModelOptions {
  readonly task?: TaskName;
  readonly annotations?: string;
  readonly images?: string;
  readonly limit?: number;
  readonly batchSize: number;
  readonly onBadRow: 'stop' | 'skip';
  readonly criterion: 'giou' | 'iou';
  readonly split?: readonly SceneSplit[];
  readonly seed?: number;
  readonly count?: number;
  readonly textsPerKind?: number;
  readonly threshold: number;
  readonly answers?: string;
  readonly predictions?: string;
  readonly savePredictions?: string;
  readonly json?: string;
  readonly worst?: string;
  readonly worstCount: number;
}

/** What a config says about evaluation; command-line options win over it. */
const evaluationSchema = z.strictObject({
  task: z.enum([...annotationTasks, 'scenes']).optional(),
  annotations: z.string().optional(),
  images: z.string().optional(),
  splits: z.array(z.enum(SPLITS)).optional(),
  seed: z.number().int().nonnegative().optional(),
  count: z.number().int().positive().optional(),
  texts_per_kind: z.number().int().positive().optional(),
});

type EvaluationConfig = z.infer<typeof evaluationSchema>;

const readConfig = async (path: string | undefined): Promise<EvaluationConfig> => {
  if (path === undefined) return {};
  let values: unknown;
  try {
    values = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new MdetrError(`${path}: cannot be read as JSON: ${messageOf(error)}`, { cause: error });
  }
  const section = typeof values === 'object' && values !== null && 'evaluate' in values ? values.evaluate : undefined;
  if (section === undefined)
    throw new MdetrError(`${path}: has no "evaluate" section; name the task by --task instead`);
  const parsed = evaluationSchema.safeParse(section);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new MdetrError(`${path}: evaluate.${issue.path.join('.')}: ${issue.message}`);
  }
  return parsed.data;
};

const splitsOf = (text: string): readonly SceneSplit[] =>
  text.split(',').map((name) => {
    const split = SPLITS.find((known) => known === name.trim());
    if (split === undefined) throw new UsageError(`--split: "${name}" is none of ${SPLITS.join(', ')}`);
    return split;
  });

/** `mdetr evaluate`: the task's published metric. */
export const evaluateCommand = (): Command =>
  addModelOptions(
    new Command('evaluate')
      .description("The task's published metric, as a table and as JSON.")
      .argument('[config]', 'JSON whose "evaluate" section says what to measure')
      .addOption(new Option('--task <name>', 'what to measure').choices([...annotationTasks, 'scenes'])),
  )
    .option('--annotations <file>', 'official annotation file with the ground truth')
    .option('--images <dir>', 'folder of the pictures that the annotation file names')
    .option('--limit <n>', 'at most so many rows', wholeFrom(1))
    .option('--batch-size <n>', 'pictures that go through the network together', wholeFrom(1), 4)
    .addOption(
      new Option('--on-bad-row <what>', 'about rows that cannot be used').choices(['stop', 'skip']).default('stop'),
    )
    .addOption(
      new Option('--criterion <overlap>', 'of expressions: giou as the official code, iou as the papers')
        .choices(['giou', 'iou'])
        .default('giou'),
    )
    .option('--split <names>', `scenes: of ${SPLITS.join(', ')}, separated by commas`, splitsOf)
    .option('--seed <s>', 'scenes: a seed that training never used', wholeFrom(0))
    .option('--count <n>', 'scenes: how many (default: 2000)', wholeFrom(1))
    .option('--texts-per-kind <n>', 'scenes: texts of each kind a scene (default: 1)', wholeFrom(1))
    .option('--threshold <score>', 'scenes: boxes for what is absent count above this', fraction, 0.7)
    .option('--answers <file>', "GQA's answer table")
    .option('--predictions <file>', 'evaluate saved predictions instead of running the model')
    .option('--save-predictions <file>', 'save what the model says, to be evaluated later')
    .option('--json <file>', 'write the numbers as JSON')
    .option('--worst <file.html>', 'write a page of the worst cases with pictures')
    .option('--worst-count <n>', 'how many of them', wholeFrom(1), 24)
    .addHelpText(
      'after',
      `
Examples
  mdetr evaluate --task scenes --split standard,paraphrase,cogent-b --count 500
  mdetr evaluate configs/scenes/default.json --model runs/scenes/best --worst worst.html
  mdetr evaluate --task refexp --annotations finetune_refcoco_val.json --images train2014 --model refcoco.pth
  mdetr evaluate --task clevr --annotations val.json --images images/val --save-predictions p.jsonl
  mdetr evaluate --task clevr --annotations val.json --images images/val --predictions p.jsonl`,
    )
    .action(async (config: string | undefined, options: EvaluateOptions) => {
      const section = await readConfig(config);
      const task = options.task ?? section.task;
      if (task === undefined)
        throw new UsageError('say what to measure: --task NAME, or a config with an "evaluate" section');
      const reports =
        task === 'scenes' ? await runScenes(options, section) : [await runAnnotations(task, options, section)];
      await present(task, reports, options);
    });

const runScenes = async (options: EvaluateOptions, section: EvaluationConfig): Promise<TaskReport[]> => {
  const model = await loadModel(options);
  try {
    const images = options.count ?? section.count ?? 2000;
    const reports: TaskReport[] = [];
    for (const split of options.split ?? section.splits ?? ['standard']) {
      const progress = new Progress(`scenes, ${split}`, images);
      reports.push(
        await evaluateScenes(model, {
          split,
          seed: options.seed ?? section.seed ?? 900_000_001,
          images,
          textsPerKind: options.textsPerKind ?? section.texts_per_kind ?? 1,
          threshold: options.threshold,
          worst: options.worst === undefined ? 0 : options.worstCount,
          onProgress: () => progress.advance(1),
        }),
      );
      progress.stop();
    }
    return reports;
  } finally {
    await model.dispose();
  }
};

const runAnnotations = async (
  task: AnnotationTask,
  options: EvaluateOptions,
  section: EvaluationConfig,
): Promise<TaskReport> => {
  const annotations = options.annotations ?? section.annotations;
  const images = options.images ?? section.images ?? '.';
  if (annotations === undefined) throw new UsageError(`--task ${task} needs --annotations FILE`);
  const model = options.predictions === undefined ? await loadModel(options, { answers: options.answers }) : undefined;
  let progress: Progress | undefined;
  let before = 0;
  try {
    return await evaluateAnnotations(model, {
      task,
      annotations,
      images,
      limit: options.limit,
      batchSize: options.batchSize,
      onBadRow: options.onBadRow,
      criterion: options.criterion,
      worst: options.worst === undefined ? 0 : options.worstCount,
      savePredictions: options.savePredictions,
      predictions: options.predictions,
      onProgress: (done, total) => {
        progress ??= new Progress(task, total);
        progress.advance(done - before);
        before = done;
      },
    });
  } finally {
    progress?.stop();
    await model?.dispose();
  }
};

const present = async (task: string, reports: readonly TaskReport[], options: EvaluateOptions): Promise<void> => {
  const results = reports.flatMap((report) => report.results);
  process.stdout.write(resultsTable(results, { digits: 4 }));
  for (const { warnings } of reports) warnings.forEach(note);
  const writeText = (path: string, text: string): Promise<void> =>
    writeAtomically(path, async (sink) => sink.write(new TextEncoder().encode(text)));
  if (options.json !== undefined) await writeText(options.json, resultsJson(results));
  if (options.worst !== undefined)
    await writeText(
      options.worst,
      await worstCasesPage(
        `${task}: worst cases`,
        reports.flatMap(({ worst }) => worst),
      ),
    );
};
