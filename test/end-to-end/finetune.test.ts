import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine, projectRoot } from '../support/run-mdetr.ts';

let cli: CommandLine;
beforeAll(() => (cli = new CommandLine()));
afterAll(() => cli.remove());

/** Runs Node in the package's folder, as the example's README does. */
const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}): string => {
  const result = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    cwd: projectRoot,
    env: { ...cli.env, ...env },
  });
  expect(result.status, result.stderr).toBe(0);
  return result.stdout;
};

describe('the fine-tuning example', () => {
  it('trains, plots and detects as its README does, with fewer steps', () => {
    const out = cli.file('finetune');
    const mdetr = 'dist/cli/main.js';
    const readme = readFileSync(join(projectRoot, 'examples/finetune/README.md'), 'utf8');
    expect(readme).toContain('npx mdetr train examples/finetune/config.json\n');
    const short = ['--set', 'max_steps=4', '--set', 'validate_every=4', '--output-dir', out];
    expect(run([mdetr, 'train', 'examples/finetune/config.json', ...short])).toMatch(
      /4 steps done, loss [\d.]+; model in .*, the best/,
    );
    run([mdetr, 'plot', out]);
    expect(readFileSync(join(out, 'curves.svg'), 'utf8')).toContain('val/box_ap_50');
    const image = 'examples/finetune/pictures/val-1.png';
    run([
      mdetr,
      'detect',
      image,
      '--caption',
      'a red ball and a blue cube',
      '--model',
      join(out, 'best'),
      '--out',
      cli.file('boxes.png'),
    ]);
    expect(existsSync(cli.file('boxes.png'))).toBe(true);
  }, 180_000);

  it('trains with a loop of its own', () => {
    const stdout = run(['examples/finetune/own-loop.mjs'], { STEPS: '3', OUT: cli.file('own-loop') });
    expect(stdout).toMatch(/^a \w+ \w+/);
    expect(existsSync(cli.file('own-loop/model.safetensors'))).toBe(true);
  }, 180_000);
});
