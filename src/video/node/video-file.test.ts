import { describe, expect, it } from 'vitest';
import { rateOfTimes, VideoFile } from './video-file.ts';

describe('rate of a drawn video', () => {
  it.each([
    ['constant', [0, 0.04, 0.08, 0.12], 25],
    ['rounded to milliseconds', [0, 0.033, 0.067, 0.1], 30],
    ['with missing frames', [0, 0.04, 0.2, 0.24, 0.6], 25],
    ['of a screen', [0, 2, 2.001, 5], 60],
    ['of one frame', [7], 25],
    ['without times', [0, 0, 0], 25],
  ])('with times that are %s', (_, times, rate) => {
    expect(rateOfTimes(times)).toBeCloseTo(rate, 6);
  });

  it('refuses another file extension', () => {
    expect(() => new VideoFile('a.avi')).toThrow('a.avi: a video is written as .mp4');
  });
});
