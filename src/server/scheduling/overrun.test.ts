import { describe, expect, it } from 'vitest';
import { Overrun } from './overrun.ts';

describe('the overrun of expected times', () => {
  it('follows the slowest requests, and is forgotten when requests are as fast as expected', () => {
    const overrun = new Overrun();
    expect(overrun.factor).toBe(1);
    // One request in ten takes three times as long.
    for (let request = 0; request < 500; request++) overrun.add(10, request % 10 === 0 ? 30 : 10);
    expect(overrun.factor).toBeGreaterThan(1.8);
    expect(overrun.factor).toBeLessThan(3);
    for (let request = 0; request < 600; request++) overrun.add(10, 10);
    expect(overrun.factor).toBeLessThan(1.01);
  });

  it('is at least 1 and at most 8', () => {
    const overrun = new Overrun();
    for (let request = 0; request < 50; request++) overrun.add(10, 1);
    expect(overrun.factor).toBe(1);
    for (let request = 0; request < 50; request++) overrun.add(10, 1e6);
    expect(overrun.factor).toBe(8);
  });
});
