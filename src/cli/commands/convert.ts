import { Command } from 'commander';
import type { ConvertOptions } from '../../model-folder/node/convert.ts';
import { interruptible } from '../options/interrupt.ts';
import { addSourceOptions } from '../options/model-options.ts';
import { note, StatusLine } from '../output/progress.ts';

const help = `
What is written depends on the ending of OUT:
  no ending        a model folder: config.json (the official arguments), model.safetensors, the vocabulary, README.md
  .safetensors     the weights, with the arguments in the file's metadata
  .pth, .pt        a PyTorch checkpoint as the official code saves it: {"model": …, "args": Namespace}

Names of tensors are the official ones throughout. Nothing appears before it is complete.

Examples
  mdetr convert pretrained_resnet101_checkpoint.pth models/r101 --tokenizer roberta/
      the moving average of the weights where the checkpoint has one; --weights model for the last ones
  mdetr convert models/r101 r101.pth
      back: torch.load("r101.pth", weights_only=False)
  mdetr convert models/r101 r101.pth --bare
      weights alone, which torch.load reads with weights_only=True`;

/** `mdetr convert`: between official checkpoints, safetensors and model folders. */
export const convertCommand = (): Command => {
  const command = new Command('convert')
    .description('Converts between official checkpoints (.pth), safetensors and model folders.')
    .argument('<checkpoint>', 'a .pth, .safetensors, model folder, or the name of a model')
    .argument('<out>', 'model folder, .safetensors or .pth to write');
  addSourceOptions(command)
    .option('--answers <file>', "GQA's table of answers (JSON), to go into the model folder")
    .option('--bare', 'a .pth of weights alone')
    .option('--force', 'replace what is there')
    .option('--verbose', 'tell which tensors were used, left out or ignored');
  return command.addHelpText('after', help).action(convert);
};

const convert = async (
  name: string,
  out: string,
  { verbose, ...options }: ConvertOptions & { readonly verbose?: boolean },
): Promise<void> => {
  const { convertModel } = await import('../../model-folder/node/convert.ts');
  const status = new StatusLine(verbose === true);
  await interruptible(async (signal) => {
    try {
      status.show(`writing ${out}`);
      const { tensors, report } = await convertModel(name, out, { ...options, signal });
      status.clear();
      if (report !== undefined && (verbose === true || report.includes('\n'))) note(report);
      process.stdout.write(`${out}: ${tensors} tensors\n`);
    } finally {
      status.clear();
    }
  });
};
