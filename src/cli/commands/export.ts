import { Command, Option } from 'commander';
import type { ExportManifest } from '../../model-folder/export-manifest.ts';
import { PRECISIONS, type Precision } from '../../model-folder/precision.ts';
import { UsageError } from '../../errors.ts';
import { addSourceOptions } from '../options/model-options.ts';
import { ensureNativeLibrary } from '../options/native-library.ts';
import { interruptible } from '../options/stop-signals.ts';
import { print } from '../output/print.ts';
import { StatusLine } from '../output/progress.ts';
import { formatBytes } from '../output/table.ts';

const EXAMPLES = `
Three layouts. All have config.json, tokenizer.json, preprocessor_config.json, a README.md that documents every
input and output, and export.json with sizes and digests of all files:
  (default)        image.onnx, text.onnx and masks.onnx: an image is encoded once for many captions
  --single-file    model.onnx: pixel_values, pixel_mask, input_ids, attention_mask to all predictions
  --hub            onnx/model.onnx, with the same inputs, where the Hugging Face hub and transformers.js look for it

Weights of more than 64 MiB are in a file beside the ONNX file, NAME.onnx_data, which ONNX Runtime finds by itself.
--dtype int8 stores weights in 8 bits; if "mdetr quantize" has measured the model's ranges, the backbone also computes
with 8-bit integers (QuantizeLinear and DequantizeLinear nodes, which ONNX Runtime joins with the convolutions).
The folder also works as --model of every command that runs a model. DIR is replaced only when the new folder is complete.

Examples
  mdetr export --out exported
  mdetr export --model pretrained_resnet101_checkpoint.pth --tokenizer roberta-base --out r101 --single-file
  mdetr export --model models/mine --out mine-for-the-hub --hub --dtype float32,float16
  mdetr quantize models/mine --images photos/ && mdetr export --model models/mine --out mine-int8 --dtype int8
  mdetr detect street.jpg --caption "a dog" --model exported`;

interface ExportCommandOptions {
  readonly model: string;
  readonly out: string;
  readonly singleFile?: boolean;
  readonly hub?: boolean;
  readonly dtype: readonly Precision[];
  readonly weights?: 'model' | 'ema';
  readonly config?: string;
  readonly tokenizer?: string;
  readonly answers?: string;
  readonly overwrite?: boolean;
  readonly verbose?: boolean;
}

/** `mdetr export`: writes a model as ONNX with everything that other programs need to run it. */
export const exportCommand = (): Command => {
  const command = new Command('export')
    .description('Export a model as ONNX, for any program that has ONNX Runtime.')
    .option('--model <model>', 'model folder, .pth or .safetensors file, or name of a model', 'default')
    .requiredOption('--out <dir>', 'folder to write');
  addSourceOptions(command)
    .option('--answers <file>', "GQA's answer table (JSON), for its question heads")
    .addOption(
      new Option('--single-file', 'the whole network in one ONNX file, for one caption per image').conflicts('hub'),
    )
    .option('--hub', "the Hugging Face hub's layout, for transformers.js")
    .addOption(
      new Option('--dtype <list>', `precision of the stored weights: ${PRECISIONS.join(', ')}, or several`)
        .argParser(precisionList)
        .default(['float32'], 'float32'),
    )
    .option('--force, --overwrite', 'replace DIR if it is an exported folder')
    .option('--verbose', 'print each file that is written');
  return command.addHelpText('after', EXAMPLES).action(exportFolder);
};

const precisionList = (text: string): Precision[] =>
  text.split(',').map((name) => {
    const precision = PRECISIONS.find((known) => known === name.trim());
    if (precision === undefined)
      throw new UsageError(
        `--dtype must be ${PRECISIONS.join(', ')}, or several with commas, not "${name.slice(0, 100)}"`,
      );
    return precision;
  });

const exportFolder = async ({
  model,
  out,
  singleFile,
  hub,
  verbose,
  overwrite,
  ...options
}: ExportCommandOptions): Promise<void> => {
  const { exportModel } = await import('../../export/node/export-model.ts');
  await ensureNativeLibrary('cpu');
  const status = new StatusLine(verbose === true);
  const layout = hub === true ? 'hub' : singleFile === true ? 'single' : 'parts';
  await interruptible(async (signal) => {
    try {
      const manifest = await exportModel(model, out, {
        ...options,
        layout,
        force: overwrite,
        signal,
        onProgress: (file) => status.show(`writing ${file}`),
      });
      status.clear();
      print(summaryOf(out, manifest));
    } finally {
      status.clear();
    }
  });
};

const summaryOf = (out: string, { layout, precisions, files }: ExportManifest): string => {
  const bytes = Object.values(files).reduce((sum, file) => sum + file.bytes, 0);
  return `${out}: ${layout} layout, ${Object.keys(precisions).join(' and ')}, ${formatBytes(bytes)}\n`;
};
