import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  input,
  makeProgram,
  symbolicDim,
  type HostTensor,
  type NamedTensors,
  type Program,
} from '../../src/engine/graph/index.ts';
import type { MdetrNetwork } from '../../src/models/index.ts';
import { traceInference } from '../../src/inference/programs.ts';
import { evidenceFeeds } from '../../src/inference/encoded-images.ts';
import { NodeRuntime } from '../../src/engine/runtime/node/node-runtime.ts';
import { ProgramCache } from '../../src/engine/runtime/node/program-cache.ts';
import type { FeedsOf, ResultsOf, WeightSource } from '../../src/engine/runtime/runtime.ts';

export type Outputs = Readonly<Record<string, HostTensor>>;

/** A batch in which every caption has its own image. */
export interface Batch {
  /** (B, 3, H, W) */
  readonly image: HostTensor;
  /** (B, H, W) bool */
  readonly padding: HostTensor;
  /** (B, T) int32 */
  readonly inputIds: HostTensor;
  readonly attentionMask: HostTensor;
}

/** Runs inference as users do: three compiled programs, with weights embedded and folded. */
export const runInference = async (model: MdetrNetwork, weights: WeightSource, batch: Batch): Promise<Outputs> => {
  const folder = await mkdtemp(join(tmpdir(), 'mdetr-parity-'));
  const runtime = new NodeRuntime({ cache: new ProgramCache({ folder }) });
  const run = async <Inputs extends NamedTensors, Outputs extends NamedTensors>(
    program: Program<Inputs, Outputs>,
    feeds: FeedsOf<Inputs>,
  ): Promise<ResultsOf<Outputs>> => {
    const session = await runtime.load(program, { weights });
    try {
      return await session.run(feeds);
    } finally {
      await session.dispose();
    }
  };
  try {
    const programs = traceInference(model);
    const features = await run(programs.image, { image: batch.image, padding: batch.padding });
    const count = batch.inputIds.shape[0]!;
    const texts = await run(programs.text, {
      src: features.src,
      feature_padding: features.feature_padding,
      ...evidenceFeeds([features]),
      image_index: { dtype: 'int32', shape: [count], data: Int32Array.from({ length: count }, (_, index) => index) },
      input_ids: batch.inputIds,
      attention_mask: batch.attentionMask,
    });
    const present = Object.fromEntries(
      Object.entries(texts).filter((entry): entry is [string, HostTensor] => entry[1] !== undefined),
    );
    if (programs.masks === undefined) return present;
    const { hs, image_memory } = texts as { hs: HostTensor; image_memory: HostTensor };
    const [, queries, width] = hs.shape as [number, number, number];
    const { pred_masks } = await run(programs.masks, {
      ...features,
      image_memory,
      mask_hs: { ...hs, shape: [count * queries, width] },
      mask_samples: {
        dtype: 'int32',
        shape: [count * queries],
        data: Int32Array.from({ length: count * queries }, (_, query) => Math.floor(query / queries)),
      },
    });
    const [, height, columns] = pred_masks.shape as [number, number, number];
    return { ...present, pred_masks: { ...pred_masks, shape: [count, queries, height, columns] } as HostTensor };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

/**
 * Runs one program that returns all intermediate values: all decoder layers (L, B, Q, ·), the encoder's memories, feature
 * maps. Weights are inputs here, as in training.
 */
export const runEverything = async (model: MdetrNetwork, weights: WeightSource, batch: Batch): Promise<Outputs> => {
  const program = traceEverything(model);
  const parameters: Record<string, HostTensor> = {};
  for (const { node } of program.parameters)
    if (node.kind === 'parameter') parameters[node.name] = await weights.read(node.name);
  const session = await new NodeRuntime().load(program);
  try {
    const { image, padding, inputIds, attentionMask } = batch;
    return await session.run({
      ...parameters,
      image,
      padding,
      input_ids: inputIds,
      attention_mask: attentionMask,
    });
  } finally {
    await session.dispose();
  }
};

const traceEverything = (model: MdetrNetwork): Program => {
  const [batch, height, width, length] = ['batch', 'height', 'width', 'tokens'].map(symbolicDim);
  const features = model.encodeImage(
    input('image', [batch!, 3, height!, width!]),
    input('padding', [batch!, height!, width!], 'bool'),
  );
  const captions = {
    inputIds: input('input_ids', [batch!, length!], 'int32'),
    attentionMask: input('attention_mask', [batch!, length!], 'int32'),
  };
  const { predictions, hs, encoded, contrast } = model.forward(features, captions, { layers: 'all' });
  return makeProgram('everything', {
    ...predictions,
    memory: encoded.memory,
    text_memory: encoded.textMemory,
    text_memory_resized: encoded.textMemoryResized,
    padding_mask: encoded.paddingMask,
    positions: encoded.positions,
    img_pooled_op: contrast?.image,
    text_pooled_op: contrast?.text,
    src: features.src,
    ...Object.fromEntries(features.stages.map((stage, index) => [`stage${index}`, stage])),
    ...Object.fromEntries(hs.map((layer, index) => [`hs${index}`, layer])),
  });
};
