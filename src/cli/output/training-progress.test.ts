import { expect, it } from 'vitest';
import { stoppedText } from './training-progress.ts';

it('says how a stopped run is resumed, and promises no saved state before the first step', () => {
  expect(stoppedText(3, 'mdetr train mine.json --resume')).toBe(
    'stopped after step 3, everything is saved. Resume with:\n  mdetr train mine.json --resume',
  );
  expect(stoppedText(0, 'mdetr train mine.json --resume')).toBe(
    'stopped before the first step. Start with:\n  mdetr train mine.json --resume',
  );
});
