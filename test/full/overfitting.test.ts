import { afterAll, describe, expect, it } from 'vitest';
import { readFileSync } from 'node:fs';
import { detectionsOf } from '../../src/postprocess/detections.ts';
import { makeTexts } from '../../src/scenes/language/make-texts.ts';
import { Random } from '../../src/random/random.ts';
import type { CaptionText } from '../../src/scenes/language/texts.ts';
import { generateScene, type RenderedScene } from '../../src/scenes/render/scene.ts';
import { iouXyxy } from '../../src/geometry/box-overlap.ts';
import { MdetrNetwork } from '../../src/models/index.ts';
import { traceInference } from '../../src/inference/programs.ts';
import { evidenceFeeds } from '../../src/inference/encoded-images.ts';
import { NodeRuntime } from '../../src/engine/runtime/node/node-runtime.ts';
import { createTokenizer } from '../../src/text/index.ts';
import { parseTrainConfig } from '../../src/train/config/config.ts';
import { batchOfSamples, type TrainingSample } from '../../src/train/data/own-samples.ts';
import { Trainer } from '../../src/train/step/trainer.ts';
import { initialParameters } from '../../src/train/step/parameters.ts';

/** Config of a small network that memorizes eight small scenes. */
const values = {
  small_backbone: { widths: [16, 32, 48, 64], groups: 8 },
  hidden_dim: 64,
  nheads: 4,
  enc_layers: 2,
  dec_layers: 2,
  dim_feedforward: 128,
  num_queries: 10,
  dropout: 0,
  pre_norm: true,
  decoder_pre_norm: true,
  position_temperature: 20,
  text_encoder: {
    hidden_size: 64,
    num_hidden_layers: 1,
    num_attention_heads: 4,
    intermediate_size: 128,
    vocab_size: 115,
    max_position_embeddings: 40,
  },
  contrastive_align_loss: true,
  positive_map: 'normalized',
  align_fallback: 'own_caption',
  image_size: { shortest_edge: 64, longest_edge: 96 },
};

/** Shortens phrases to their last word. With several words, the minimum of the losses is not 0 but an entropy. */
const withHeadWords = (text: CaptionText): CaptionText => ({
  ...text,
  phrases: text.phrases.map((phrase) => ({
    ...phrase,
    start: text.text.slice(0, phrase.end).lastIndexOf(' ') + 1,
  })),
});

/** Training sample of a caption: the objects that it mentions, with their phrases. */
const sampleOf = ({ image, objects }: RenderedScene, { text, phrases }: CaptionText): TrainingSample => ({
  image: { ...image, channels: 3 },
  caption: text,
  boxes: [...new Set(phrases.flatMap((phrase) => phrase.objects))].map((object) => ({
    box: objects[object]!.box,
    spans: phrases.filter((phrase) => phrase.objects.includes(object)).map(({ start, end }) => ({ start, end })),
  })),
});

const runtime = new NodeRuntime();
let trainer: Trainer | undefined;
afterAll(() => trainer?.dispose());

describe('overfitting', () => {
  it('memorizes eight scenes: loss below 5 % of its initial value, boxes with IoU above 0.9, correct spans', async () => {
    const config = parseTrainConfig(values);
    const model = new MdetrNetwork(config);
    const tokenizer = createTokenizer(JSON.parse(readFileSync('configs/scenes/plain-words/tokenizer.json', 'utf8')), {
      maxTokens: 38,
    });
    const items = Array.from({ length: 8 }, (_, index) => {
      const scene = generateScene(11, index, { width: 96, height: 64, minObjects: 3, maxObjects: 4 });
      return {
        scene,
        texts: makeTexts(scene, 'caption', Random.of(1, index), {
          count: 1,
          minPhrases: 2,
          maxPhrases: 3,
          groups: 0,
        }).map(withHeadWords),
      };
    });
    const samples = items.map(({ scene, texts: [text] }) => sampleOf(scene, text!));
    const batch = await batchOfSamples(samples, tokenizer, config);
    const steps = 700;
    trainer = await Trainer.create(model, config, initialParameters(model, 3), runtime, {
      schedule: {
        schedule: 'all_cosine_with_warmup',
        lr: 2e-3,
        lr_backbone: 2e-3,
        text_encoder_lr: 2e-3,
        epochs: 1,
        lr_drop: 1,
        fraction_warmup_steps: 0.05,
      },
      optimizer: { optimizer: 'adamw', weight_decay: 0 },
      clipMaxNorm: 0.5,
      stepsPerEpoch: steps,
      seed: 1,
      dropout: false,
    });
    const totals: number[] = [];
    for (let step = 0; step < steps; step++) totals.push((await trainer.step(batch)).total);
    expect(totals.at(-1)!, `from ${totals[0]!} to ${totals.at(-1)!}`).toBeLessThan(totals[0]! * 0.05);

    // Inference with the trained weights.
    const { parameters } = trainer;
    const weights = {
      digest: `overfitting ${Date.now()}`,
      read: (name: string) => Promise.resolve(parameters.get(name)!),
    };
    const programs = traceInference(model);
    const sessions = [
      await runtime.load(programs.image, { weights }),
      await runtime.load(programs.text, { weights }),
    ] as const;
    const { image, padding, image_index, input_ids, attention_mask } = batch.inputs;
    const features = await sessions[0].run({ image: image!, padding: padding! });
    const outputs = await sessions[1].run({
      src: features.src,
      feature_padding: features.feature_padding,
      ...evidenceFeeds([features]),
      image_index: image_index!,
      input_ids: input_ids!,
      attention_mask: attention_mask!,
    });
    await Promise.all(sessions.map((session) => session.dispose()));
    items.forEach(({ scene, texts: [text] }, row) => {
      const part = (name: 'pred_logits' | 'pred_boxes'): Float32Array => {
        const data = outputs[name].data as Float32Array;
        return data.subarray((row * data.length) / items.length, ((row + 1) * data.length) / items.length);
      };
      const found = detectionsOf(
        { logits: part('pred_logits'), boxes: part('pred_boxes') },
        scene.image,
        tokenizer.encode(text!.text),
        { threshold: 0.7 },
      );
      for (const { start, end, objects } of text!.phrases) {
        const groundTruth = scene.objects[objects[0]!]!.box;
        const best = found.find(({ box }) => iouXyxy(box, 0, groundTruth, 0) > 0.9);
        expect(best, `a box with IoU above 0.9 for "${text!.text.slice(start, end)}"`).toBeDefined();
        // The span may include an article before the word.
        const span = best!.spans[0]!;
        expect(span.end, text!.text).toBe(end);
        expect(text!.text.slice(span.start, start), text!.text).toMatch(/^((a|an|the|one|two|three) )?$/);
      }
    });
  }, 300_000);
});
