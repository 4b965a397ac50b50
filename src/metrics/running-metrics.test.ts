import { describe, expect, it } from 'vitest';
import { RunningMetrics, SmoothedValue, topKAccuracy } from './running-metrics.ts';

describe('SmoothedValue', () => {
  // Equality with the official log on 37 values: test/parity-metrics.test.ts.
  it('computes statistics of its window', () => {
    const series = new SmoothedValue(4);
    [1, 2, 30, 4, 5].forEach((value) => series.update(value));
    expect(series.median).toBe(4); // the lower middle one of 2, 4, 5, 30
    expect(series.average).toBe(10.25);
    expect(series.max).toBe(30);
    expect(series.value).toBe(5);
    expect(series.globalAverage).toBeCloseTo(42 / 5, 12);
    expect(series.toString()).toBe('4.0000 (8.4000)');
  });

  it('weights values, and accepts totals of other processes', () => {
    const series = new SmoothedValue();
    series.update(1, 3);
    series.update(5);
    expect(series.globalAverage).toBe(2);
    const [count, sum] = series.totals;
    series.setTotals([count * 2, sum + 4]);
    expect(series.globalAverage).toBe(1.5);
    expect(() => new SmoothedValue(0)).toThrow('window of 0');
    expect(new SmoothedValue().median).toBeNaN();
  });
});

describe('RunningMetrics', () => {
  it('keeps series by name, and rejects NaN', () => {
    const metrics = new RunningMetrics(2);
    metrics.update({ loss: 2, loss_ce: 1 });
    metrics.update({ loss: 4, loss_ce: 1 });
    expect(metrics.globalAverages()).toEqual({ loss: 3, loss_ce: 1 });
    expect(metrics.names).toEqual(['loss', 'loss_ce']);
    expect(metrics.toString('  ')).toBe('loss: 2.0000 (3.0000)  loss_ce: 1.0000 (1.0000)');
    expect(() => metrics.update({ loss: NaN })).toThrow('loss is not a number');
  });
});

describe('topKAccuracy', () => {
  it('counts samples whose target is among the k highest logits', () => {
    const logits = [[3, 2, 1], [1, 2, 3], [2, 2, 0], [2, 2, 0]].flat(); // prettier-ignore
    expect(topKAccuracy(logits, [0, 0, 0, 1], [1, 2, 3])).toEqual([50, 75, 100]);
    expect(topKAccuracy([], [])).toEqual([0]);
  });
});
