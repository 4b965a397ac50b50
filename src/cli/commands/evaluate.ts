import { Command, Option } from 'commander';
import { checkRequest, evaluateBenchmark, type Benchmark, type EvaluationRequest } from '../../benchmarks/benchmark.ts';
import { benchmarkList } from '../../benchmarks/benchmark-table.ts';
import type { BenchmarkReport } from '../../benchmarks/benchmark-report.ts';
import { allBenchmarks, benchmarkNamed } from '../../benchmarks/registry.ts';
import { checkReportFolder, writeReportPage } from '../../benchmarks/report/write-report.ts';
import { Inspection } from '../../benchmarks/report/inspection.ts';
import { worstCasesPage } from '../../benchmarks/worst-cases-page.ts';
import { splitSource } from '../../data/images/node/image-roots.ts';
import type { Orientation } from '../../data/images/orientation.ts';
import { writeAtomically } from '../../files/atomic-file.ts';
import { MdetrError, UsageError } from '../../errors.ts';
import { readJsonFile } from '../../files/json/json-file.ts';
import { OutputRule } from '../../files/output-rule.ts';
import { resultsJson, resultsTable } from '../../metrics/results-table.ts';
import { currentConfig } from '../../names/current-names.ts';
import {
  addBenchmarkOptions,
  addInputOptions,
  parseEvaluationSection,
  settingsFrom,
  submissionTasks,
  type EvaluationSection,
} from '../options/benchmark-options.ts';
import { interruptible } from '../options/stop-signals.ts';
import { addModelOptions, loadModel, type ModelOptions } from '../options/model-options.ts';
import { integerFrom } from '../options/option-values.ts';
import { rowOrientationOption } from '../options/orientation-option.ts';
import { note, print } from '../output/print.ts';
import { Progress } from '../output/progress.ts';

/** Options of the command; those of the benchmarks are read by `settingsFrom`. */
interface EvaluateOptions extends ModelOptions {
  readonly list?: boolean;
  readonly task?: string;
  readonly annotations?: string;
  readonly images?: readonly string[];
  readonly groundTruth?: string;
  readonly subset?: string;
  readonly limit?: number;
  readonly batchSize: number;
  readonly onBadRow: 'stop' | 'skip';
  readonly orientation?: Orientation;
  readonly officialBatching?: boolean;
  readonly answers?: string;
  readonly submission?: string;
  readonly predictions?: string;
  readonly savePredictions?: string;
  readonly resume?: boolean;
  readonly json?: string;
  readonly report?: string;
  readonly worst?: string;
  readonly worstCount: number;
}

/** Reads the "evaluate" section of a config. */
const readSection = async (path: string | undefined): Promise<EvaluationSection> => {
  if (path === undefined) return { settings: {} };
  const { findConfig } = await import('../../train/config/config-file.ts');
  const { withEvaluationPaths } = await import('../../train/config/config-paths.ts');
  const file = await findConfig(path);
  const values = await readJsonFile(file);
  if (typeof values !== 'object' || values === null || !('evaluate' in values))
    throw new MdetrError(`${path}: has no "evaluate" section; pass --task instead`);
  const { value, notes } = currentConfig({ evaluate: values.evaluate }, path);
  notes.forEach(note);
  return parseEvaluationSection(await withEvaluationPaths(value['evaluate'], file), path);
};

/** `mdetr evaluate`: the published metric of a benchmark. */
export const evaluateCommand = (): Command => {
  const command = addModelOptions(
    new Command('evaluate')
      .description('Compute the published metric of a benchmark and print it as a table.')
      .argument('[config]', 'JSON whose "evaluate" section names the benchmark and its files')
      .addOption(new Option('--task <name>', 'benchmark').choices(allBenchmarks().map(({ name }) => name)))
      .option('--list', 'list the benchmarks with the options that they need'),
  )
    .option('--annotations <file>', 'official annotation file; for lvis its own file')
    .option('--images <dir...>', 'image folder, or SOURCE=DIR for each data_source');
  addInputOptions(command)
    .option('--limit <n>', 'maximum number of rows', integerFrom(1))
    .option(
      '--batch-size <n>',
      'captions that pass through the network together (lvis: eight times as many)',
      integerFrom(1),
      4,
    )
    .addOption(
      new Option('--on-bad-row <action>', 'action for rows that cannot be used')
        .choices(['stop', 'skip'])
        .default('stop'),
    )
    .addOption(rowOrientationOption())
    .option(
      '--official-batching',
      'pad images of different sizes to one batch, as the official evaluation does; results then depend on --batch-size',
    );
  return addBenchmarkOptions(command)
    .option('--answers <file>', "GQA's answer table")
    .option('--submission <file>', `write the file for the test server (${submissionTasks()})`)
    .option('--predictions <file>', 'evaluate saved predictions instead of running the model')
    .option('--save-predictions <file>', 'save the predictions, to be evaluated later')
    .option('--resume', 'continue an interrupted run with that file')
    .option('--json <file>', 'write the metrics as JSON')
    .option(
      '--report <dir>',
      'write DIR/index.html: metrics with confidence intervals, curves, confusion, errors by kind, right and worst cases',
    )
    .option('--worst <file.html>', 'write a page with images of the worst cases')
    .option('--worst-count <n>', 'number of worst cases (a report has as many right ones)', integerFrom(1), 24)
    .addHelpText('after', EXAMPLES)
    .action(run);
};

const EXAMPLES = `
Examples
  mdetr evaluate --list
  mdetr evaluate --task scenes --split standard,paraphrase,cogent-b --count 500
  mdetr evaluate configs/scenes/default.json --model runs/scenes/best --worst worst.html
  mdetr evaluate --task phrases --annotations dataset/val.json --images photos --model runs/mine/run/best --report report
      the page report/index.html: what the model finds, misses and confuses
  mdetr evaluate --task flickr --annotations final_flickr_separateGT_test.json --images flickr30k/test \\
      --ground-truth flickr30k_entities --model pretrained_resnet101
      Recall@1, 5 and 10 by both protocols, over all phrases and by category
  mdetr evaluate --task phrasecut --annotations finetune_phrasecut_test.json --images gqa/images \\
      --ground-truth VGPhraseCut_v0 --model phrasecut_resnet101 --save-predictions p.jsonl
  mdetr evaluate --task lvis --annotations lvis_v1_minival.json --images coco2017 --model lvis10 \\
      --save-predictions lvis10.jsonl --resume
      stops at Ctrl-C; the same command continues
  mdetr evaluate --task gqa --annotations finetune_gqa_testdev_balanced.json --images gqa/images \\
      --answers gqa_answer2id_by_type.json --model gqa_resnet101
  mdetr evaluate --task refexp --annotations finetune_refcoco_val.json --images train2014 --model refcoco.pth
  mdetr evaluate --task clevr --annotations CLEVR_val_questions.json --images images/val --save-predictions p.jsonl
  mdetr evaluate --task clevr --annotations CLEVR_val_questions.json --images images/val --predictions p.jsonl
      its question file adds accuracy by family of question; with another annotation file, pass it as --ground-truth
  mdetr evaluate --task clevr --annotations CLEVR_test_questions.json --images images/test --submission test.txt`;

const run = async (config: string | undefined, options: EvaluateOptions): Promise<void> => {
  if (options.list === true) {
    print(benchmarkList(allBenchmarks()));
    return;
  }
  const section = await readSection(config);
  const task = options.task ?? section.task;
  if (task === undefined)
    throw new UsageError('no benchmark given: pass --task NAME, or a config with an "evaluate" section');
  const benchmark = benchmarkNamed(task);
  const request = requestOf(benchmark, options, section);
  // Wrong calls are reported before the model is loaded.
  checkRequest(benchmark, request);
  checkOutputs(config, request, options);
  await interruptible(async (signal) => {
    await present(task, request, await evaluate(benchmark, { ...request, signal }, options), options);
  });
};

/** Checks the files that are written. @throws {UsageError} if one is an input, or one is written twice */
const checkOutputs = (
  config: string | undefined,
  { annotations, images, groundTruth, predictions, settings }: Omit<EvaluationRequest, 'model'>,
  options: EvaluateOptions,
): void => {
  const { model, tokenizer, answers, submission, savePredictions, json, worst, report } = options;
  const paths = Object.values(settings ?? {}).filter((value) => typeof value === 'string');
  const rule = new OutputRule({
    inputs: [config, annotations, groundTruth, predictions, model, tokenizer, options.config, answers, ...paths],
    imageFolders: images.map((text) => splitSource(text).path),
  });
  const outputs = {
    '--submission': submission,
    '--save-predictions': savePredictions,
    '--json': json,
    '--worst': worst,
  };
  for (const [option, path] of Object.entries(outputs)) if (path !== undefined) rule.named(path, `${option} ${path}`);
  if (report !== undefined) checkReportFolder(report, `--report ${report}`, rule);
};

const requestOf = (
  benchmark: Benchmark,
  options: EvaluateOptions,
  section: EvaluationSection,
): Omit<EvaluationRequest, 'model'> => ({
  annotations: options.annotations ?? section.annotations,
  images: options.images ?? foldersOf(section.images),
  groundTruth: options.groundTruth ?? section.ground_truth,
  subset: options.subset ?? section.subset,
  limit: options.limit,
  batchSize: options.batchSize,
  onBadRow: options.onBadRow,
  orientation: options.orientation,
  officialBatching: options.officialBatching,
  settings: settingsFrom(benchmark, { ...options }, section),
  wantsSubmission: options.submission !== undefined,
  worst: options.worst === undefined ? 0 : options.worstCount,
  savePredictions: options.savePredictions,
  resume: options.resume,
  predictions: options.predictions,
  inspector: options.report === undefined ? undefined : inspectionOf(options, section),
});

/** The inspection of a report; a threshold of the benchmark is also that of the report. */
const inspectionOf = ({ worstCount, ...options }: EvaluateOptions, { settings }: EvaluationSection): Inspection => {
  const threshold = (options as { readonly threshold?: unknown }).threshold ?? settings['threshold'];
  return new Inspection({ threshold: typeof threshold === 'number' ? threshold : undefined, cases: worstCount });
};

const evaluate = async (
  benchmark: Benchmark,
  request: Omit<EvaluationRequest, 'model'>,
  options: EvaluateOptions,
): Promise<readonly BenchmarkReport[]> => {
  const model = request.predictions === undefined ? await loadModel(options, { answers: options.answers }) : undefined;
  let progress: { readonly title: string; readonly bar: Progress; done: number } | undefined;
  try {
    return await evaluateBenchmark(benchmark, {
      ...request,
      model,
      onProgress(done, total, title = benchmark.name) {
        if (progress?.title !== title) {
          progress?.bar.stop();
          progress = { title, bar: new Progress(title, total), done: 0 };
        }
        progress.bar.advance(done - progress.done);
        progress.done = done;
      },
    });
  } finally {
    progress?.bar.stop();
    await model?.dispose();
  }
};

/** Image folders of a config in the form of the command line. */
const foldersOf = (images: EvaluationSection['images'] = '.'): readonly string[] =>
  typeof images === 'string' ? [images] : Object.entries(images).map(([source, folder]) => `${source}=${folder}`);

const present = async (
  task: string,
  request: Omit<EvaluationRequest, 'model'>,
  reports: readonly BenchmarkReport[],
  options: EvaluateOptions,
): Promise<void> => {
  const results = reports.flatMap((report) => report.results);
  print(resultsTable(results, { digits: 4 }));
  for (const { warnings } of reports) warnings.forEach(note);
  const writeText = (path: string, text: string): Promise<void> =>
    writeAtomically(path, async (sink) => sink.write(new TextEncoder().encode(text)));
  const [submission] = reports.flatMap((report) => report.submission ?? []);
  if (options.submission !== undefined && submission !== undefined) await writeText(options.submission, submission());
  if (options.json !== undefined) await writeText(options.json, resultsJson(results));
  if (options.worst !== undefined) {
    const worst = reports.flatMap((report) => report.worst);
    await writeText(options.worst, await worstCasesPage(`${task}: worst cases`, worst));
  }
  if (options.report !== undefined && request.inspector instanceof Inspection) {
    const { path } = await writeReportPage(options.report, request.inspector, {
      title: `${options.model ?? 'default'}: ${task}`,
      facts: [
        ['model', options.model ?? 'default'],
        ['benchmark', task],
        ...(request.annotations === undefined ? [] : [['annotations', request.annotations] as const]),
        ['date', new Date().toISOString().slice(0, 10)],
      ],
      results,
      warnings: reports.flatMap(({ warnings }) => warnings),
    });
    note(`report: ${path}`);
  }
};
