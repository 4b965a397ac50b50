import { afterAll, expect, it } from 'vitest';
import { createRuntime } from '../../src/engine/runtime/create-runtime.ts';
import { abs, div, mul, slice, sub, sum } from '../../src/engine/ops/index.ts';
import { boxesDim, registerLoss, type MatchedLoss } from '../../src/losses/index.ts';
import { BatchMaker } from '../../src/train/data/batch-maker.ts';
import { singleProcess } from '../../src/train/parallel/communicator.ts';
import { createTrainer, startingPoint } from '../../src/train/run/run-start.ts';
import { smallConfig } from '../support/small-run.ts';

const WEIGHTS: Readonly<Record<string, number>> = {
  loss_ce: 1,
  loss_bbox: 5,
  loss_giou: 2,
  loss_contrastive_align: 1,
  loss_center: 2,
};

/** L1 distance of box centers, a loss that this package does not have. */
const centersLoss: MatchedLoss = {
  name: 'centers',
  isMatched: true,
  isOn: () => true,
  inputs: { outputs: () => ['pred_boxes'] },
  weight: () => ({ loss_center: WEIGHTS['loss_center']! }),
  trace: ({ output, target, pairs, numBoxes }) => {
    const predicted = slice(pairs.ofQueries(output('pred_boxes')), 2, 0, 2); // (L, M, 2)
    const targets = slice(pairs.ofTargets(target('target_boxes', [boxesDim, 4])), 2, 0, 2);
    // `boxes` has no weight: it is only logged.
    return { loss_center: div(sum(abs(sub(predicted, targets)), [1, 2]), numBoxes), boxes: mul(numBoxes, 1) };
  },
};

const unregister = registerLoss(centersLoss);
afterAll(unregister);

it('a registered loss is trained and logged for every decoder layer', async () => {
  const config = smallConfig();
  const start = await startingPoint(config, undefined, () => undefined);
  const trainer = await createTrainer(config, start, await createRuntime({ threads: 1 }), 10, singleProcess);
  const maker = await BatchMaker.open({
    config,
    datasets: config.datasets,
    tokenizer: 'configs/scenes/plain-words',
    maxTokens: 38,
  });
  try {
    const { batch } = await maker.make({ rows: [1, 4], key: { seed: 2, epoch: 0, pairsBefore: 0 } });
    const boxes = batch.targets.boxCounts.reduce((total, count) => total + count, 0);
    for (let step = 0; step < 3; step++) {
      const { terms, total } = await trainer.step(batch);
      // Two of the four coordinates of the L1 loss.
      expect(terms['loss_center']).toBeGreaterThan(0);
      expect(terms['loss_center']).toBeLessThan(terms['loss_bbox']!);
      expect(terms['loss_center_0']).toBeGreaterThan(0);
      expect(terms['boxes']).toBe(boxes);
      const weighted = Object.entries(terms).map(([name, value]) => value * (WEIGHTS[name.replace(/_\d$/, '')] ?? 0));
      const expected = weighted.reduce((all, value) => all + value, 0);
      expect(Math.abs(total - expected)).toBeLessThan(1e-4 * expected);
    }
  } finally {
    maker.close();
    await trainer.dispose();
  }
});

it('refuses a second loss of the same name', () => {
  expect(() => registerLoss(centersLoss)).toThrow('two losses are named "centers"');
});
