import { describe, expect, it } from 'vitest';
import { loadReferenceJson } from '../../../test/support/reference-case.ts';
import { ratesAt, warmupSteps, type ScheduleConfig } from './schedule.ts';

interface Curve extends ScheduleConfig {
  readonly steps_per_epoch: number;
  readonly num_warmup_steps: number;
  readonly lrs: readonly (readonly number[])[];
}

describe('learning rates', () => {
  const curves = loadReferenceJson('schedules/lr_curves.json') as Curve[];
  it.each(curves.map((curve, index) => [`${curve.schedule} ${index}`, curve] as const))(
    '%s is the official curve, exactly',
    (_name, curve) => {
      expect(warmupSteps(curve, curve.steps_per_epoch * curve.epochs)).toBe(curve.num_warmup_steps);
      curve.lrs.forEach((expected, step) => {
        const { main, backbone, textEncoder } = ratesAt(curve, step, curve.steps_per_epoch);
        expect([main, backbone, textEncoder]).toEqual(expected);
      });
    },
  );

  it('falls along a cosine after the warm-up', () => {
    const config: ScheduleConfig = {
      schedule: 'all_cosine_with_warmup',
      lr: 1,
      lr_backbone: 0.5,
      text_encoder_lr: 0.25,
      epochs: 1,
      lr_drop: 35,
      fraction_warmup_steps: 0.1,
    };
    const main = [0, 5, 10, 55, 100].map((step) => ratesAt(config, step, 100).main);
    [0, 0.5, 1, 0.5, 0].forEach((expected, index) => expect(main[index]).toBeCloseTo(expected, 12));
    expect(ratesAt(config, 55, 100)).toMatchObject({ backbone: main[3]! / 2, textEncoder: main[3]! / 4 });
    const ending = { ...config, final_lr_fraction: 0.2 };
    expect([10, 55, 100].map((step) => ratesAt(ending, step, 100).main)).toEqual([1, expect.closeTo(0.6), 0.2]);
  });
});
