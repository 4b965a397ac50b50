import { Command } from 'commander';
import type { ModelInfo } from '../../model-folder/node/model-info.ts';
import { describeQuantization } from '../../model-folder/quantization.ts';
import { DETECTOR_INT8, hasDetector } from '../../model-folder/weight-storage.ts';
import { addSourceOptions } from '../options/model-options.ts';
import { ensureNativeLibrary } from '../options/native-library.ts';
import { formatBytes, formatCount, formatTable } from '../output/table.ts';
import { print } from '../output/print.ts';

const EXAMPLES = `
No code of a file is run: pickles are parsed as data, and the weights are not read into memory.

Examples
  mdetr info pretrained_resnet101_checkpoint.pth
  mdetr info default
  mdetr info models/r101 --tensors
  mdetr info exported
      inputs and outputs of a folder that mdetr export wrote, and the precision of its weights
  mdetr info checkpoint.pth --weights model --json
  mdetr info --system`;

interface InfoOptions {
  readonly weights?: 'model' | 'ema';
  readonly config?: string;
  readonly tensors?: boolean;
  readonly json?: boolean;
  readonly system?: boolean;
}

/** `mdetr info`: describes a model or checkpoint. */
export const infoCommand = (): Command => {
  const command = new Command('info')
    .description(
      'Describe a model folder or checkpoint: contents, arguments, weights, and whether they fit the network.',
    )
    .argument('[model]', 'model folder, exported folder, .pth or .safetensors file, or name of a model', 'default');
  addSourceOptions(command)
    .option('--tensors', 'list every tensor')
    .option('--system', 'print versions, hardware and the runtime in use, for a bug report')
    .option('--json', 'print one JSON object');
  return command.addHelpText('after', EXAMPLES).action(info);
};

const info = async (name: string, options: InfoOptions): Promise<void> => {
  if (options.system === true) return printSystem(options.json === true);
  const { isExportedFolder, resolveModelPath } = await import('../../model-folder/node/model-files.ts');
  const path = await resolveModelPath(name);
  if (await isExportedFolder(path)) return printExport(path, options.json === true);
  const { describeModel } = await import('../../model-folder/node/model-info.ts');
  const { weights, config } = options;
  const model = await describeModel(name, { weights, config });
  print(options.json === true ? `${JSON.stringify(jsonOf(model, options))}\n` : textOf(model, options));
};

const printExport = async (path: string, isJson: boolean): Promise<void> => {
  const { readExportManifest } = await import('../../model-folder/node/exported-folder.ts');
  const { exportText } = await import('../output/export-text.ts');
  const manifest = await readExportManifest(path);
  print(isJson ? `${JSON.stringify({ path, ...manifest })}\n` : exportText(path, manifest));
};

const printSystem = async (isJson: boolean): Promise<void> => {
  await ensureNativeLibrary('cpu');
  const { systemReport } = await import('../output/system-report.ts');
  const report = await systemReport();
  const lines = Object.entries(report).map(([name, value]) => `${name.padEnd(20)}${value}\n`);
  print(isJson ? `${JSON.stringify(report)}\n` : lines.join(''));
};

const parametersOf = ({ parts }: ModelInfo): number => parts.reduce((sum, { parameters }) => sum + parameters, 0);

const jsonOf = (model: ModelInfo, { tensors }: InfoOptions): Record<string, unknown> => ({
  path: model.path,
  format: model.format,
  bytes: model.bytes,
  weights: model.weights,
  epoch: model.contents?.epoch ?? null,
  contents: {
    model: model.contents?.model ?? null,
    ema: model.contents?.ema ?? null,
    optimizer: model.contents?.optimizer ?? null,
    others: model.contents?.others ?? [],
  },
  parameters: parametersOf(model),
  parts: model.parts,
  dtypes: dtypesOf(model),
  fits: model.fit.fits,
  fit: model.fit.report,
  args: model.args ?? null,
  training: model.training ?? null,
  notice: model.notice ?? null,
  tokenizer: model.tokenizer,
  words: model.words?.words.length ?? null,
  learned: model.words?.learned ?? null,
  quantization:
    model.quantization === undefined
      ? null
      : {
          method: model.quantization.method,
          data: model.quantization.data,
          ranges: Object.keys(model.quantization.ranges).length,
        },
  tensors: tensors === true ? model.tensors : undefined,
});

const dtypesOf = ({ tensors }: ModelInfo): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { dtype } of tensors) counts[dtype] = (counts[dtype] ?? 0) + 1;
  return counts;
};

const wordFacts = ({ words }: ModelInfo): [string, string][] => {
  if (words === undefined) return [];
  const learned: [string, string][] = words.learned.length === 0 ? [] : [['learned last', words.learned.join(', ')]];
  return [['words', `${formatCount(words.words.length)} different ones in the captions of its training`], ...learned];
};

/** Meaning of --dtype int8 for the model. */
const int8Fact = ({ quantization, tensors }: ModelInfo): string => {
  if (hasDetector(tensors.map(({ name }) => name))) return DETECTOR_INT8;
  return quantization === undefined
    ? 'weights only: no quantization.json, which "mdetr quantize" writes'
    : `integer arithmetic in the backbone: ${describeQuantization(quantization)}`;
};

const WEIGHTS_DESCRIPTIONS: Readonly<Record<ModelInfo['weights'], string>> = {
  ema: 'moving average (model_ema); --weights model selects the last ones',
  model: 'last ones (model); --weights ema selects the moving average',
  only: 'the only ones in the file',
  initial: 'none stored: initial values from a seed',
};

const textOf = (model: ModelInfo, { tensors }: InfoOptions): string => {
  const { contents, args } = model;
  const facts: [string, string][] = [
    ['format', `${model.format}${model.bytes === 0 ? '' : `, ${formatBytes(model.bytes)}`}`],
    ['weights', WEIGHTS_DESCRIPTIONS[model.weights]],
    ['values', formatCount(parametersOf(model))],
    [
      'types',
      Object.entries(dtypesOf(model))
        .map(([dtype, count]) => `${dtype} × ${count}`)
        .join(', '),
    ],
    ...holdings(contents),
    ['vocabulary', model.tokenizer.length === 0 ? 'none in the folder of the model' : model.tokenizer.join(', ')],
    ...wordFacts(model),
    ['int8', int8Fact(model)],
    ['fits', model.fit.fits ? model.fit.report : `no: ${model.fit.report}`],
    ...(model.notice === undefined ? [] : ([['notice', model.notice]] as [string, string][])),
  ];
  const parts = model.parts.map(({ part, tensors: count, parameters }) => [
    part,
    String(count),
    formatCount(parameters),
  ]);
  return [
    `${model.path}\n`,
    formatTable(
      [{ title: '' }, { title: '' }],
      facts.map(([key, value]) => [key, value.replaceAll('\n', '; ')]),
      '  ',
    ),
    '\n',
    formatTable(
      [{ title: 'part' }, { title: 'tensors', align: 'right' }, { title: 'values', align: 'right' }],
      parts,
      '  ',
    ),
    recordText('arguments', args),
    recordText('training', model.training),
    ...(tensors === true ? ['\n', tensorTable(model)] : []),
  ].join('');
};

const holdings = (contents: ModelInfo['contents']): [string, string][] => {
  if (contents === undefined) return [];
  const { epoch, model, ema, optimizer, others, notTensors } = contents;
  const sized = { model: model, 'moving average': ema, 'optimizer state': optimizer };
  return [
    ...Object.entries(sized).flatMap(([key, totals]): [string, string][] =>
      totals === undefined ? [] : [[key, `${formatCount(totals.tensors)} tensors, ${formatBytes(totals.bytes)}`]],
    ),
    ...(epoch === undefined ? [] : ([['epoch', String(epoch)]] as [string, string][])),
    ...(others.length === 0 ? [] : ([['also holds', others.join(', ')]] as [string, string][])),
    ...(notTensors.length === 0 ? [] : ([['no tensors', notTensors.join(', ')]] as [string, string][])),
  ];
};

const recordText = (title: string, record: unknown): string => {
  if (typeof record !== 'object' || record === null) return '';
  const rows = Object.entries(record).map(([key, value]) => [key, JSON.stringify(value)]);
  return rows.length === 0 ? '' : `\n${formatTable([{ title }, { title: '' }], rows, '  ')}`;
};

const tensorTable = ({ tensors }: ModelInfo): string =>
  formatTable(
    [{ title: 'tensor' }, { title: 'type' }, { title: 'shape' }],
    tensors.map(({ name, dtype, shape }) => [name, dtype, `[${shape.join(', ')}]`]),
    '  ',
  );
