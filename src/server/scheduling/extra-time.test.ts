import { describe, expect, it } from 'vitest';
import { ExtraTime } from './extra-time.ts';

describe('the extra time of requests', () => {
  it('covers all but one in a hundred, and is forgotten when requests are as fast as expected', () => {
    const extra = new ExtraTime();
    expect(extra.ms).toBe(0);
    // Extra times from 0 to 99 ms in a mixed order.
    const times = Array.from({ length: 10_000 }, (_, index) => (index * 37) % 100);
    for (const ms of times) extra.add(ms, 10);
    expect(extra.ms).toBeGreaterThan(95);
    expect(extra.ms).toBeLessThan(102);
    for (let request = 0; request < 6000; request++) extra.add(-1, 10);
    expect(extra.ms).toBe(0);
  });

  it('is changed little by one long stop', () => {
    const extra = new ExtraTime();
    extra.add(60_000, 10);
    expect(extra.ms).toBeLessThan(3);
  });
});
