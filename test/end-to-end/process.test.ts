import { execFileSync } from 'node:child_process';
import { copyFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine, isNotice, projectRoot, scene } from '../support/run-mdetr.ts';

let cli: CommandLine;
beforeAll(() => (cli = new CommandLine()));
afterAll(() => cli.remove());

describe('the process', () => {
  it('exits without an error if its output is closed', async () => {
    const captions = Array.from({ length: 30 }, () => ['--caption', 'a cube']).flat();
    const args = ['detect', scene, ...captions, '--masks', '--threshold', '0', '--json'];
    const result = await cli.start(args, (child) => child.stdout?.once('data', () => child.stdout?.destroy()));
    expect(result.stderr.split('\n').filter((line) => line !== '' && !isNotice(line))).toEqual([]);
    expect(result.status).toBe(0);
  });

  it('ends by the signal at Ctrl-C and leaves only complete drawings', async () => {
    const images = Array.from({ length: 40 }, (_, index) => `copy-${index}.png`);
    for (const name of images) copyFileSync(scene, cli.file(name));
    const args = ['detect', ...images, '--caption', 'a cube', '--threshold', '0', '--batch-size', '2', '--out', 'out/'];
    const result = await cli.start(args, (child) => child.stdout?.once('data', () => child.kill('SIGINT')));
    expect(result.signal).toBe('SIGINT');
    const drawn = readdirSync(cli.file('out'));
    expect(drawn.length).toBeGreaterThan(0);
    expect(drawn.length).toBeLessThan(40);
    for (const name of drawn) expect((await sharp(cli.file(join('out', name))).stats()).channels).toHaveLength(3);
  });

  it('prints a stack trace only with --debug', () => {
    expect(cli.run('info', 'nowhere').stderr).not.toContain('    at ');
    expect(cli.run('info', 'nowhere', '--debug').stderr).toContain('    at ');
    expect(cli.run('--debug', 'info', 'nowhere').stderr).toContain('    at ');
  });

  it('loads ONNX Runtime only for commands that need it', () => {
    const report = 'process.on("exit", () => console.log(process.report.getReport().sharedObjects.join()))';
    const libraries = (...args: string[]): string =>
      execFileSync(
        process.execPath,
        ['--import', `data:text/javascript,${report}`, join(projectRoot, 'dist/cli/main.js'), ...args],
        { encoding: 'utf8', env: cli.env, stdio: ['ignore', 'pipe', 'ignore'] },
      );
    expect(libraries('detect', scene, '--caption', 'a cube')).toMatch(/onnxruntime/);
    for (const args of [['--help'], ['detect', '--help'], ['convert', '--help'], ['info', 'default']])
      expect(libraries(...args), args.join(' ')).not.toMatch(/onnxruntime/);
  });
});
