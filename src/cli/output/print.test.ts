import { expect, it } from 'vitest';
import { visible } from './print.ts';

it('shows control characters instead of sending them to the terminal', () => {
  expect(visible('a\u001b]52;c;ZXZpbA==\u0007b\u009b2J\u007f\r')).toBe(
    'a\\u001b]52;c;ZXZpbA==\\u0007b\\u009b2J\\u007f\\u000d',
  );
});

it('leaves tabs, line feeds and other text alone', () => {
  expect(visible('Zürich\t→ 犬 👍🏽\n')).toBe('Zürich\t→ 犬 👍🏽\n');
});

it('keeps the value of JSON', () => {
  const value = { caption: 'x \u001b[2J \u009b2J \u007f "quoted" \\' };
  expect(JSON.parse(visible(JSON.stringify(value)))).toEqual(value);
});
