import { Command, Option } from 'commander';
import { PRECISIONS } from '../../model-folder/precision.ts';
import type { ConvertOptions } from '../../model-folder/node/convert.ts';
import { interruptible } from '../options/stop-signals.ts';
import { addSourceOptions } from '../options/model-options.ts';
import { note, print } from '../output/print.ts';
import { StatusLine } from '../output/progress.ts';

const EXAMPLES = `
The extension of OUT selects the format:
  none             model folder: config.json (the official arguments), model.safetensors, vocabulary, README.md
  .safetensors     weights, with the arguments and the image size in the file's metadata
  .pth, .pt        PyTorch checkpoint as saved by the official code: {"model": …, "args": Namespace}

Tensors have the names of the official code in every format. Parts of the source that OUT cannot hold,
such as the vocabulary, are listed after the conversion. OUT is replaced only when the new files are complete.

Examples
  mdetr convert pretrained_resnet101_checkpoint.pth models/r101 --tokenizer roberta/
      the moving average of the weights if the checkpoint has one; --weights model selects the last ones
  mdetr convert pretrained_resnet101_checkpoint.pth models/r101-half --tokenizer roberta-base --dtype float16
      half the bytes; int8 takes a quarter: 8-bit weights with a scale per channel ("mdetr quantize" for 8-bit arithmetic)
  mdetr convert models/r101 r101.pth
      for torch.load("r101.pth", weights_only=False)
  mdetr convert models/r101 r101.pth --bare
      weights only, for torch.load with weights_only=True`;

/** `mdetr convert`: converts between official checkpoints, safetensors and model folders. */
export const convertCommand = (): Command => {
  const command = new Command('convert')
    .description('Convert between official checkpoints (.pth), safetensors files and model folders.')
    .argument('<checkpoint>', 'model folder, .pth or .safetensors file, or name of a model')
    .argument('<out>', 'model folder, .safetensors or .pth file to write');
  addSourceOptions(command)
    .option('--answers <file>', "GQA's answer table (JSON), to be stored in the model folder")
    .addOption(
      new Option('--dtype <name>', 'precision of the written weights (default: as they are)').choices([...PRECISIONS]),
    )
    .option('--bare', 'write a .pth file with weights only')
    .option('--force, --overwrite', 'replace OUT if it exists')
    .option('--verbose', 'print which tensors were used, left out or ignored');
  return command.addHelpText('after', EXAMPLES).action(convert);
};

const convert = async (
  name: string,
  out: string,
  { verbose, overwrite, ...options }: ConvertOptions & { readonly verbose?: boolean; readonly overwrite?: boolean },
): Promise<void> => {
  const { convertModel } = await import('../../model-folder/node/convert.ts');
  const status = new StatusLine(verbose === true);
  await interruptible(async (signal) => {
    try {
      status.show(`writing ${out}`);
      const { tensors, report, leftOut } = await convertModel(name, out, { ...options, force: overwrite, signal });
      status.clear();
      if (report !== undefined && (verbose === true || report.includes('\n'))) note(report);
      print(`${out}: ${tensors} tensors\n`);
      if (leftOut.length > 0) note(`left out: ${leftOut.join(', ')}`);
    } finally {
      status.clear();
    }
  });
};
