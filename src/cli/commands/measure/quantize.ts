import { Command, Option } from 'commander';
import type { Quantized } from '../../../inference/quantization/node/quantize-model.ts';
import { RANGE_METHODS, type RangeMethod } from '../../../model-folder/quantization.ts';
import type { ImageSource } from '../../../data/images/image-source.ts';
import { ImageList } from '../../input/image-list.ts';
import { ensureNativeLibrary } from '../../options/native-library.ts';
import { integerFrom } from '../../options/option-values.ts';
import { interruptible } from '../../options/stop-signals.ts';
import { note, print } from '../../output/print.ts';
import { Progress } from '../../output/progress.ts';

interface QuantizeCommandOptions {
  readonly images: readonly string[];
  readonly recursive?: boolean;
  readonly limit: number;
  readonly method: RangeMethod;
  readonly threads?: number;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const EXAMPLES = `
The precision int8 stores weights in 8 bits. With the ranges that this command measures, it also computes in 8 bits: the
convolutions of the backbone multiply integers, which takes a quarter to a third of the time on CPUs with VNNI or AMX
instructions and on 64-bit Arm. Without them, or on other CPUs, int8 means weights only; "mdetr info" says which it is.

Images: 30 to 100 that look like those that the model will see. No captions or labels are needed. Each is run through the
backbone once, and the smallest and largest values of every layer are measured:
  mse         the range with the least squared error: a few extreme values are cut off (default)
  percentile  the range of 99.99 % of the values
  minmax      the range of all values; one outlier makes the steps coarse for all others

They are written to quantization.json in the model folder, and nothing else of the model changes. "mdetr convert" and
"mdetr export" take them along. A model whose weights change needs them again.

Examples
  mdetr convert pretrained_resnet101_checkpoint.pth models/r101 --tokenizer roberta/
  mdetr quantize models/r101 --images photos/
  mdetr detect street.jpg --caption "a dog" --model models/r101 --dtype int8
  mdetr export --model models/r101 --out r101-int8 --dtype int8
  mdetr quantize models/mine --images "val/*.jpg" --limit 50 --dry-run --json`;

/** `mdetr quantize`: measures the ranges of a model's activations for integer arithmetic. */
export const quantizeCommand = (): Command =>
  new Command('quantize')
    .description('Measure on images which values the layers of a model have, so that int8 can compute with integers.')
    .argument('<model>', 'model folder, or name of a model')
    .requiredOption('--images <what...>', 'folder of images, image files, quoted patterns or @list.txt')
    .option('--recursive', 'look into the subfolders of folders of images')
    .option('--limit <n>', 'maximum number of images, spread over all of them', integerFrom(1), 64)
    .addOption(
      new Option('--method <name>', 'how the range of a layer is chosen').choices([...RANGE_METHODS]).default('mse'),
    )
    .option('--threads <n>', 'threads of the network (default: one per core)', integerFrom(1))
    .option('--dry-run', 'measure without writing quantization.json')
    .option('--json', 'print one JSON object')
    .addHelpText('after', EXAMPLES)
    .action(quantize);

const quantize = async (
  model: string,
  { images, recursive, limit, method, threads, dryRun, json }: QuantizeCommandOptions,
): Promise<void> => {
  const list = await ImageList.open(images, { recursive, isRepeated: true });
  const sources = await spread(list, limit).finally(() => list.close());
  await ensureNativeLibrary('cpu');
  const { quantizeModel } = await import('../../../inference/quantization/node/quantize-model.ts');
  const progress = new Progress('images', sources.length, { resultsComeLast: true });
  await interruptible(async (signal) => {
    try {
      const quantized = await quantizeModel(model, sources, {
        method,
        threads,
        signal,
        write: dryRun !== true,
        onProgress: (done) => progress.update(done),
        onSkip: list.isBulk
          ? (name, error) => note(`left out: ${error.message.includes(name) ? '' : `${name}: `}${error.message}`)
          : undefined,
      });
      progress.stop();
      print(
        json === true
          ? `${JSON.stringify({ ...quantized.quantization, path: quantized.path ?? null })}\n`
          : textOf(quantized),
      );
      if (quantized.path !== undefined) note(`written to ${quantized.path}`);
    } finally {
      progress.stop();
    }
  });
};

/** At most `limit` images, at even distances. */
const spread = async (list: ImageList, limit: number): Promise<readonly ImageSource[]> => {
  const step = Math.max(1, (list.count ?? 0) / limit);
  const chosen: ImageSource[] = [];
  let index = 0;
  for await (const chunk of list.chunks())
    for (const { source } of chunk) if (index++ >= chosen.length * step && chosen.length < limit) chosen.push(source);
  return chosen;
};

const textOf = ({ quantization: { method, data, ranges } }: Quantized): string => {
  const layers = Object.keys(ranges).filter((name) => name.endsWith('.output')).length;
  return `${layers} convolutions of the backbone, ${Object.keys(ranges).length} ranges (${method}) of ${data.images} images of "${data.name}"\n`;
};
