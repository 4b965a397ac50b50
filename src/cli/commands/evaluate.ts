import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { z } from 'zod';
import { writeAtomically } from '../../checkpoints/index.ts';
import { SCENE_DEFAULTS } from '../../scenes/render/scene.ts';
import { SPLITS, type SceneSplit } from '../../scenes/render/splits.ts';
import { MdetrError, messageOf, UsageError } from '../../errors.ts';
import { resultsJson, resultsTable } from '../../metrics/results-table.ts';
import {
  benchmarkTasks,
  evaluateBenchmark,
  requireGroundTruth,
  type BenchmarkTask,
} from '../../benchmarks/benchmark-task.ts';
import { evaluateScenes } from '../../benchmarks/scenes-task.ts';
import type { TaskReport } from '../../benchmarks/task-report.ts';
import { worstCasesPage } from '../../benchmarks/worst-cases-page.ts';
import { interruptible } from '../options/interrupt.ts';
import { fraction, wholeFrom } from '../options/option-values.ts';
import { addModelOptions, loadModel, type ModelOptions } from '../options/model-options.ts';
import { note, Progress } from '../output/progress.ts';

type TaskName = BenchmarkTask | 'scenes';

interface EvaluateOptions extends ModelOptions {
  readonly task?: TaskName;
  readonly annotations?: string;
  readonly images?: readonly string[];
  readonly truth?: string;
  readonly subset?: string;
  readonly limitBy?: 'image' | 'category';
  readonly masks?: boolean;
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
  readonly submission?: string;
  readonly predictions?: string;
  readonly savePredictions?: string;
  readonly resume?: boolean;
  readonly json?: string;
  readonly worst?: string;
  readonly worstCount: number;
}

/** What a config says about evaluation; command-line options win over it. */
const evaluationSchema = z.strictObject({
  task: z.enum([...benchmarkTasks, 'scenes']).optional(),
  annotations: z.string().optional(),
  /** A folder, or one for each `data_source`. */
  images: z.union([z.string(), z.record(z.string(), z.string())]).optional(),
  /** The data set's own folder or file, and the split that is meant. */
  truth: z.string().optional(),
  subset: z.string().optional(),
  limit_by: z.enum(['image', 'category']).optional(),
  splits: z.array(z.enum(SPLITS)).optional(),
  seed: z.number().int().nonnegative().optional(),
  count: z.number().int().positive().optional(),
  texts_per_kind: z.number().int().positive().optional(),
  /** Scenes of other sizes than the usual ones. */
  scene: z
    .strictObject({
      width: z.number().int().positive().default(SCENE_DEFAULTS.width),
      height: z.number().int().positive().default(SCENE_DEFAULTS.height),
      min_objects: z.number().int().positive().default(SCENE_DEFAULTS.minObjects),
      max_objects: z.number().int().positive().default(SCENE_DEFAULTS.maxObjects),
    })
    .prefault({}),
});

type EvaluationConfig = z.infer<typeof evaluationSchema>;

const readConfig = async (path: string | undefined): Promise<EvaluationConfig> => {
  if (path === undefined) return evaluationSchema.parse({});
  let values: unknown;
  const { findConfig } = await import('../../train/config/config-file.ts');
  const file = await findConfig(path);
  try {
    values = JSON.parse(await readFile(file, 'utf8'));
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
      .addOption(new Option('--task <name>', 'what to measure').choices([...benchmarkTasks, 'scenes'])),
  )
    .option('--annotations <file>', 'official annotation file; for lvis its own file')
    .option('--images <dir...>', 'folder of the pictures that it names, or SOURCE=DIR for each data_source')
    .option('--truth <path>', "flickr, phrasecut: the data set's own folder; gqa, clevr: its question file")
    .option('--subset <name>', "flickr, phrasecut: the split, where the annotation file's name does not end in it")
    .option('--limit <n>', 'at most so many rows', wholeFrom(1))
    .option(
      '--batch-size <n>',
      'texts that go through the network together (lvis: eight times as many)',
      wholeFrom(1),
      4,
    )
    .addOption(
      new Option('--on-bad-row <what>', 'about rows that cannot be used').choices(['stop', 'skip']).default('stop'),
    )
    .addOption(
      new Option('--criterion <overlap>', 'of expressions: giou as the official code, iou as the papers')
        .choices(['giou', 'iou'])
        .default('giou'),
    )
    .addOption(
      new Option(
        '--limit-by <what>',
        'lvis: the 10,000 best of a category count (fixed AP, as published), or 300 an image (default: category)',
      ).choices(['category', 'image']),
    )
    .option('--masks', 'coco: masks too, from a model that has them')
    .option('--split <names>', `scenes: of ${SPLITS.join(', ')}, separated by commas`, splitsOf)
    .option('--seed <s>', 'scenes: a seed that training never used', wholeFrom(0))
    .option('--count <n>', 'scenes: how many (default: 2000)', wholeFrom(1))
    .option('--texts-per-kind <n>', 'scenes: texts of each kind a scene (default: 1)', wholeFrom(1))
    .option('--threshold <score>', 'scenes: boxes for what is absent count above this', fraction, 0.7)
    .option('--answers <file>', "GQA's answer table")
    .option('--submission <file>', 'gqa, clevr: write what the test server takes; the rows need no answers then')
    .option('--predictions <file>', 'evaluate saved predictions instead of running the model')
    .option('--save-predictions <file>', 'save what the model says, to be evaluated later')
    .option('--resume', 'go on where an interrupted run with that file stopped')
    .option('--json <file>', 'write the numbers as JSON')
    .option('--worst <file.html>', 'write a page of the worst cases with pictures')
    .option('--worst-count <n>', 'how many of them', wholeFrom(1), 24)
    .addHelpText(
      'after',
      `
Examples
  mdetr evaluate --task scenes --split standard,paraphrase,cogent-b --count 500
  mdetr evaluate configs/scenes/default.json --model runs/scenes/best --worst worst.html
  mdetr evaluate --task flickr --annotations final_flickr_separateGT_test.json --images flickr30k/test \\
      --truth flickr30k_entities --model pretrained_resnet101
      Recall@1, 5 and 10 by both protocols, over all phrases and by category
  mdetr evaluate --task phrasecut --annotations finetune_phrasecut_test.json --images gqa/images \\
      --truth VGPhraseCut_v0 --model phrasecut_resnet101 --save-predictions p.jsonl
  mdetr evaluate --task lvis --annotations lvis_v1_minival.json --images coco2017 --model lvis10 \\
      --save-predictions lvis10.jsonl --resume
      stops at Ctrl-C; called again it goes on
  mdetr evaluate --task gqa --annotations finetune_gqa_testdev_balanced.json --images gqa/images \\
      --answers gqa_answer2id_by_type.json --model gqa_resnet101
  mdetr evaluate --task refexp --annotations finetune_refcoco_val.json --images train2014 --model refcoco.pth
  mdetr evaluate --task clevr --annotations CLEVR_val_questions.json --images images/val --save-predictions p.jsonl
  mdetr evaluate --task clevr --annotations CLEVR_val_questions.json --images images/val --predictions p.jsonl
      with that file by family of question; --truth names it beside another annotation file
  mdetr evaluate --task clevr --annotations CLEVR_test_questions.json --images images/test --submission test.txt`,
    )
    .action(async (config: string | undefined, options: EvaluateOptions) => {
      const section = await readConfig(config);
      const task = options.task ?? section.task;
      if (task === undefined)
        throw new UsageError('say what to measure: --task NAME, or a config with an "evaluate" section');
      await interruptible(async (signal) => {
        const reports =
          task === 'scenes'
            ? await runScenes(options, section, signal)
            : [await runAnnotations(task, options, section, signal)];
        await present(task, reports, options);
      });
    });

const runScenes = async (
  options: EvaluateOptions,
  section: EvaluationConfig,
  signal: AbortSignal,
): Promise<TaskReport[]> => {
  for (const name of ['predictions', 'savePredictions', 'submission'] as const)
    if (options[name] !== undefined)
      throw new UsageError(
        `--${name === 'savePredictions' ? 'save-predictions' : name}: scenes are drawn anew for every evaluation, there is nothing to keep`,
      );
  const model = await loadModel(options);
  try {
    const images = options.count ?? section.count ?? 2000;
    const { width, height, min_objects: minObjects, max_objects: maxObjects } = section.scene;
    const reports: TaskReport[] = [];
    for (const split of options.split ?? section.splits ?? ['standard']) {
      const progress = new Progress(`scenes, ${split}`, images);
      reports.push(
        await evaluateScenes(model, {
          split,
          seed: options.seed ?? section.seed ?? 900_000_001,
          images,
          scene: { width, height, minObjects, maxObjects },
          textsPerKind: options.textsPerKind ?? section.texts_per_kind ?? 1,
          threshold: options.threshold,
          worst: options.worst === undefined ? 0 : options.worstCount,
          onProgress: () => progress.advance(1),
          signal,
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
  task: BenchmarkTask,
  options: EvaluateOptions,
  section: EvaluationConfig,
  signal: AbortSignal,
): Promise<TaskReport> => {
  const annotations = options.annotations ?? section.annotations;
  if (annotations === undefined) throw new UsageError(`--task ${task} needs --annotations FILE`);
  if (options.resume === true && options.savePredictions === undefined)
    throw new UsageError('--resume goes on with the file that --save-predictions FILE names');
  if (options.submission !== undefined && task !== 'gqa' && task !== 'clevr')
    throw new UsageError(`--submission: there is no server's file for --task ${task}`);
  const files = {
    ...{ task, annotations },
    images: options.images ?? foldersOf(section.images),
    truth: options.truth ?? section.truth,
    subset: options.subset ?? section.subset,
  };
  requireGroundTruth(files);
  const model = options.predictions === undefined ? await loadModel(options, { answers: options.answers }) : undefined;
  let progress: Progress | undefined;
  let before = 0;
  try {
    return await evaluateBenchmark(model, {
      ...files,
      limit: options.limit,
      batchSize: options.batchSize,
      onBadRow: options.onBadRow,
      criterion: options.criterion,
      limitBy: options.limitBy ?? section.limit_by ?? 'category',
      masks: options.masks === true,
      wantsSubmission: options.submission !== undefined,
      worst: options.worst === undefined ? 0 : options.worstCount,
      savePredictions: options.savePredictions,
      resume: options.resume,
      predictions: options.predictions,
      signal,
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

/** Folders of a config as the command line writes them. */
const foldersOf = (images: EvaluationConfig['images'] = '.'): readonly string[] =>
  typeof images === 'string' ? [images] : Object.entries(images).map(([source, folder]) => `${source}=${folder}`);

const present = async (task: string, reports: readonly TaskReport[], options: EvaluateOptions): Promise<void> => {
  const results = reports.flatMap((report) => report.results);
  process.stdout.write(resultsTable(results, { digits: 4 }));
  for (const { warnings } of reports) warnings.forEach(note);
  const writeText = (path: string, text: string): Promise<void> =>
    writeAtomically(path, async (sink) => sink.write(new TextEncoder().encode(text)));
  const [submission] = reports.flatMap((report) => (report.submission === undefined ? [] : [report.submission]));
  if (options.submission !== undefined && submission !== undefined) await writeText(options.submission, submission());
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
