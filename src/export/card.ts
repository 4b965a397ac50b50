import { textEncoderConfig, type ModelConfig } from '../models/index.ts';
import { frontMatter } from '../model-folder/card-front-matter.ts';
import type { ExportManifest, Precision } from '../model-folder/export-manifest.ts';

/** Facts about an export, for its card. */
export interface ExportFacts {
  readonly name: string;
  readonly config: ModelConfig;
  readonly layout: ExportManifest['layout'];
  readonly precisions: readonly Precision[];
  readonly opset: number;
  readonly files: ExportManifest['files'];
  readonly programs: ExportManifest['programs'];
  /** Ranges with which the backbone of the int8 programs computes with integers, in a sentence. */
  readonly quantization?: string | undefined;
  /** Card of the model that was exported, without its front matter. */
  readonly original: string | undefined;
}

/** Model card of an exported folder: files, inputs and outputs, use, and the card of the model. */
export const exportCard = (facts: ExportFacts): string => {
  const { name, config, layout, precisions, opset, files, programs, original } = facts;
  const integers =
    facts.quantization === undefined ? '' : ` (int8: with integers in the backbone; ${facts.quantization})`;
  const fileRows = Object.entries(files).map(
    ([path, { bytes }]) => `| \`${path}\` | ${bytes.toLocaleString('en-US')} |`,
  );
  return `${frontMatter(['onnx', ...(layout === 'hub' ? ['transformers.js'] : [])])}# ${name}

An MDETR network (text-modulated detection, arXiv:2104.12763) as ONNX, written by \`mdetr export\`: ${
    config.small_backbone === undefined ? config.backbone : 'small group-norm backbone'
  }, text encoder of ${textEncoderConfig(config).num_hidden_layers} layers, ${config.num_queries} queries. Operator set ${opset}, weights stored as ${precisions.join(', ')}, arithmetic in float32${integers}.

    mdetr detect image.jpg --caption "what to look for" --model ${name}

${layout === 'hub' ? HUB_USE : ''}## Files

| | bytes |
|---|---|
${fileRows.join('\n')}

## Inputs and outputs

Every description is also in the ONNX files. Sizes that are names may differ from run to run.

${Object.entries(programs)
  .map(
    ([program, { inputs, outputs }]) =>
      `| ${program} | |\n|---|---|\n${rowsOf('in', inputs)}\n${rowsOf('out', outputs)}\n`,
  )
  .join('\n')}
Boxes are center x, center y, width and height, relative to the image. The last of the 256 classes of \`pred_logits\` means
"no object"; the others are positions in the caption's tokens.
${original === undefined ? '' : `\n${original.replace(/^#/gm, '##')}`}`;
};

const HUB_USE = `\`\`\`js
import { AutoModel, AutoTokenizer } from '@huggingface/transformers';
const [model, tokenizer] = await Promise.all([AutoModel.from_pretrained(NAME), AutoTokenizer.from_pretrained(NAME)]);
const { pred_logits, pred_boxes } = await model({ pixel_values, pixel_mask, ...tokenizer('a dog') });
\`\`\`

`;

const rowsOf = (
  direction: string,
  values: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly (number | string)[] }[],
): string =>
  values.map(({ name, dtype, shape }) => `| ${direction} \`${name}\` | ${dtype} [${shape.join(', ')}] |`).join('\n');
