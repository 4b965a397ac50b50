import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { smallValues } from '../../../test/support/small-run.ts';
import { openCheckpoint } from '../../checkpoints/index.ts';
import { MDETR } from '../../index.ts';
import { convertModel } from '../../model-folder/node/convert.ts';
import { parseTrainConfig } from '../config/config.ts';
import { runTraining } from './run-training.ts';

vi.setConfig({ testTimeout: 120_000 });

const root = mkdtempSync(join(tmpdir(), 'mdetr-selected-queries-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const selecting = { query_selection: 'features', box_refinement: true, selection_suppression: 0.6, nheads: 4 };

const namesIn = async (path: string): Promise<string[]> => {
  const checkpoint = await openCheckpoint(path);
  const names = [...checkpoint.tensors.keys()];
  await checkpoint.close();
  return names;
};

describe('a network that selects its queries', () => {
  it('ships its encoder head, and detects the same after conversion to .pth and back', async () => {
    const output = join(root, 'run');
    const losses = { word_auxiliary_loss: 1, backbone_auxiliary_loss: 1, texts_per_image: 2 };
    await runTraining({ ...smallValues, ...selecting, ...losses, output_dir: output, max_steps: 2 });
    const model = join(output, 'last');
    const names = await namesIn(join(model, 'model.safetensors'));
    expect(names).toContain('encoder_head.tokens.weight');
    expect(names).toContain('query_content.norm.bias');
    expect(names.filter((name) => name.startsWith('helper.'))).toEqual([]);

    await convertModel(model, join(root, 'model.pth'));
    await convertModel(join(root, 'model.pth'), join(root, 'again'), { tokenizer: model });
    const image = {
      data: new Uint8Array(96 * 64 * 3).map((_, index) => (index * 7) % 251),
      width: 96,
      height: 64,
      channels: 3 as const,
    };
    const detections = await Promise.all(
      [model, join(root, 'again')].map(async (path) => {
        await using detector = await MDETR.fromPretrained(path, { threads: 1 });
        return (await detector.detect(image, 'a red cube', { threshold: 0 })).detections;
      }),
    );
    expect(detections[0]!.length).toBeGreaterThan(0);
    expect(detections[1]).toEqual(detections[0]);
  });

  it('trains its encoder head unless the detector is frozen, and is what the loss of objects needs', () => {
    expect(parseTrainConfig({ ...smallValues, ...selecting }).encoder_auxiliary_loss).toBe(1);
    expect(parseTrainConfig(smallValues).encoder_auxiliary_loss).toBe(0);
    expect(() => parseTrainConfig({ ...smallValues, ...selecting, encoder_auxiliary_loss: 0 })).toThrow(
      /query_selection selects by the encoder head/,
    );
    const questions = { do_qa: true, split_qa_heads: true, qa_dataset: 'clevr', object_auxiliary_loss: 1 };
    expect(parseTrainConfig({ ...smallValues, ...selecting, ...questions }).object_auxiliary_loss).toBe(1);
    const refused = [
      [{ ...questions }, /object_auxiliary_loss needs object queries that start from boxes: set query_selection/],
      [{ ...selecting, ...questions, do_qa: false }, /object_auxiliary_loss needs the question heads of CLEVR/],
      [{ ...selecting, ...questions, nheads: 1 }, /object_auxiliary_loss needs 2 attention heads/],
    ] as const;
    for (const [values, message] of refused)
      expect(() => parseTrainConfig({ ...smallValues, ...values })).toThrow(message);
    const frozen = { freeze_detector: true, mask_model: 'smallconv', hidden_dim: 32 };
    expect(parseTrainConfig({ ...smallValues, ...selecting, ...frozen }).encoder_auxiliary_loss).toBe(0);
  });
});
