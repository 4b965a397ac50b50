import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hasCase, loadCase, sharedReference, type ReferenceCase } from '../../test/support/reference-case.ts';
import { softmaxRows } from '../postprocess/scored-boxes.ts';
import { matchingCost, positiveEntries } from './cost.ts';
import { matchTargets, type Match } from './matcher.ts';

const casesDir = join(sharedReference, 'cases');
const modelCases = existsSync(casesDir)
  ? readdirSync(casesDir).filter((name) => {
      const { json, names } = loadCase(name);
      return (json['matches'] as unknown[] | undefined)?.length && names.includes('cost.final');
    })
  : [];
const flatBoxes = (targets: readonly { boxes: number[][] }[]): Float32Array =>
  Float32Array.from(targets.flatMap(({ boxes }) => boxes.flat()));
const plain = (matches: readonly Match[]): number[][][] =>
  matches.map(({ queries, targets }) => [[...queries], [...targets]]);

/** Softmax of logits over the classes of the official network. */
const probabilitiesOf = (logits: Float32Array): Float32Array => softmaxRows(logits, logits.length / 256);

/** Largest difference to the reference cost, which has the columns of all samples; sample b uses its own. */
const costDifference = (
  reference: ReferenceCase,
  costName: string,
  logits: Float32Array,
  boxes: Float32Array,
  targets: readonly { boxes: number[][] }[],
): number => {
  const { shape, data: expected } = reference.typed(costName, 'f32');
  const [batch, queries, total] = shape as [number, number, number];
  const probabilities = probabilitiesOf(logits);
  const positives = positiveEntries(reference.f32(costName.replace(/cost\.\w+$/, 'positive_map')), 256);
  let largest = 0;
  for (let b = 0; b < batch; b++) {
    const cost = matchingCost({
      probabilities: probabilities.subarray(b * queries * 256, (b + 1) * queries * 256),
      boxes: boxes.subarray(b * queries * 4, (b + 1) * queries * 4),
      targetBoxes: flatBoxes(targets),
      positives,
    });
    expect(cost).toHaveLength(queries * total);
    cost.forEach((value, k) => {
      largest = Math.max(largest, Math.abs(value - expected[b * queries * total + k]!));
    });
  }
  return largest;
};

describe('matcher', () => {
  it('matches a query to the box and tokens that it predicts', () => {
    // 2 queries, 2 tokens + no-object; the first query predicts the second token.
    const probabilities = Float32Array.of(0.02, 0.96, 0.02, 0.4, 0.3, 0.3);
    const matches = matchTargets({
      probabilities,
      predBoxes: Float32Array.of(0.5, 0.5, 0.2, 0.2, 0.5, 0.5, 0.2, 0.2),
      targetBoxes: Float32Array.of(0.5, 0.5, 0.2, 0.2),
      positives: positiveEntries(Float32Array.of(0, 1, 0), 3),
      targetCounts: [1],
    });
    expect(plain(matches)).toEqual([[[0], [0]]]);
  });

  it('accepts samples without targets, and names the sample whose cost is not finite', () => {
    const input = {
      probabilities: new Float32Array(2 * 3 * 4).fill(0.25),
      predBoxes: new Float32Array(2 * 3 * 4).fill(0.5),
      targetBoxes: new Float32Array(4).fill(0.5),
      positives: positiveEntries(new Float32Array(4).fill(1), 4),
      targetCounts: [0, 1],
    };
    expect(plain(matchTargets(input))).toEqual([
      [[], []],
      [[0], [0]],
    ]);
    input.probabilities[3 * 4] = NaN;
    expect(() => matchTargets(input)).toThrow('matching sample 1: cost of row 0, column 0 is NaN');
    input.predBoxes[3 * 4] = NaN;
    expect(() => matchTargets(input)).toThrow('matching sample 1: box 0');
    expect(() => matchTargets({ ...input, targetCounts: [1, 1] })).toThrow('add up to 2');
    expect(() => matchTargets({ ...input, positives: [] })).toThrow('the classes of 0 targets do not fit');
  });

  it('weighs classes by the positive map', () => {
    const sample = {
      probabilities: Float32Array.of(0.5, 0.25, 0.25, 0.125, 0.375, 0.5),
      boxes: Float32Array.of(0.5, 0.5, 0.2, 0.2, 0.5, 0.5, 0.2, 0.2),
      targetBoxes: Float32Array.of(0.5, 0.5, 0.2, 0.2, 0.5, 0.5, 0.2, 0.2),
      positives: positiveEntries(Float32Array.of(0, 1, 1, 0.5, 0, 0), 3),
    };
    expect(sample.positives).toEqual([
      { classes: [1, 2], weights: [1, 1] },
      { classes: [0], weights: [0.5] },
    ]);
    const cost = matchingCost(sample, { set_cost_class: 2, set_cost_bbox: 1, set_cost_giou: 0 });
    expect([...cost]).toEqual([-1, -0.5, -1.75, -0.125]);
  });

  it.skipIf(modelCases.length === 0).each(modelCases.length > 0 ? modelCases : ['(none here)'])(
    'equals the official costs and matches in case %s (needs ../shared/reference)',
    (name) => {
      const reference = loadCase(name);
      const { targets, matches, matcherOrder } = reference.json as {
        targets: { boxes: number[][] }[];
        matches: number[][][][];
        matcherOrder: string[];
      };
      matcherOrder.forEach((layer, index) => {
        const prefix = layer === 'final' ? '' : `${layer}.`;
        const predLogits = reference.f32(`${prefix}pred_logits`);
        const predBoxes = reference.f32(`${prefix}pred_boxes`);
        const found = matchTargets({
          probabilities: probabilitiesOf(predLogits),
          predBoxes,
          targetBoxes: flatBoxes(targets),
          positives: positiveEntries(reference.f32('positive_map'), 256),
          targetCounts: targets.map(({ boxes }) => boxes.length),
        });
        expect(plain(found)).toEqual(matches[index]);
        expect(costDifference(reference, `cost.${layer}`, predLogits, predBoxes, targets)).toBeLessThan(2e-6);
      });
    },
  );

  describe.skipIf(!hasCase('criterion'))('cases/criterion (needs ../shared/reference)', () => {
    const reference = hasCase('criterion') ? loadCase('criterion') : undefined;
    const variants = (reference?.json['variants'] ?? {}) as Record<
      string,
      { targets: { boxes: number[][] }[]; matches: number[][][][]; matcherOrder: string[] }
    >;
    it.each(Object.keys(variants))('%s', (variant) => {
      const { targets, matches, matcherOrder } = variants[variant]!;
      matcherOrder.forEach((layer, index) => {
        const input = layer === 'final' ? 'input.last' : 'input.aux';
        const predLogits = reference!.f32(`${input}.logits`);
        const predBoxes = reference!.f32(`${input}.boxes`);
        const found = matchTargets({
          probabilities: probabilitiesOf(predLogits),
          predBoxes,
          targetBoxes: flatBoxes(targets),
          positives: positiveEntries(reference!.f32(`${variant}.positive_map`), 256),
          targetCounts: targets.map(({ boxes }) => boxes.length),
        });
        expect(plain(found)).toEqual(matches[index]);
        if (layer === 'final') {
          const difference = costDifference(reference!, `${variant}.cost.final`, predLogits, predBoxes, targets);
          expect(difference).toBeLessThan(2e-6);
        }
      });
    });
  });
});
