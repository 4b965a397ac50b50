import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { scenesCommand } from './scenes.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let root = '';
beforeAll(async () => (root = await mkdtemp(join(tmpdir(), 'mdetr-scenes-'))));
afterAll(() => rm(root, { recursive: true, force: true }));

/** Runs the command in a child process, and sends Ctrl-C twice, like launchers do, once `interruptWhen` returns true. */
const runScenes = (args: readonly string[], options: { interruptWhen?: () => Promise<boolean> } = {}) =>
  new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    const url = new URL('./scenes.ts', import.meta.url).href;
    const program = `const { scenesCommand } = await import(${JSON.stringify(url)});
      await scenesCommand().exitOverride().parseAsync(process.argv.slice(1), { from: 'user' })
        .catch((error) => { console.error(error.message); process.exitCode = 1; });`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program, '--', ...args], {
      cwd: fileURLToPath(new URL('../../..', import.meta.url)),
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
    const timer = setInterval(() => {
      void options.interruptWhen?.().then((now) => {
        if (!now || child.killed) return;
        child.kill('SIGINT');
        child.kill('SIGINT');
      });
    }, 50);
    child.on('close', (code) => {
      clearInterval(timer);
      resolve({ code, stdout, stderr });
    });
  });

const filesIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true }).catch(() => [])).sort();

describe('mdetr scenes', () => {
  it('writes a dataset and prints one line of counts', async () => {
    const out = join(root, 'a');
    const size = ['--width', '96', '--height', '64'];
    const result = await runScenes(['--out', out, '--images', '3', '--threads', '2', ...size]);
    expect(result).toMatchObject({ code: 0 });
    expect(result.stdout).toBe(`${out}: 3 scenes; captions 9, refexps 9, refexp_masks 9, questions 9, negatives 9\n`);
    expect(await filesIn(out)).toEqual([
      'annotations',
      'annotations/captions.json',
      'annotations/negatives.json',
      'annotations/questions.json',
      'annotations/refexp_masks.json',
      'annotations/refexps.json',
      'dataset.json',
      'images',
      'images/scene_standard_000000.png',
      'images/scene_standard_000001.png',
      'images/scene_standard_000002.png',
      'questions.json',
      'scenes.json',
    ]);
  });

  it('stops at Ctrl-C without incomplete files', async () => {
    const out = join(root, 'b');
    const interruptWhen = async () => (await filesIn(join(out, 'images'))).length > 3;
    const result = await runScenes(['--out', out, '--images', '2000'], { interruptWhen });
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/stopped; run the same command to resume/);
    const files = await filesIn(out);
    expect(files.length).toBeLessThan(1000);
    expect(files.filter((name) => !/^(images|annotations|dataset\.json|images\/scene_.*\.png)$/.test(name))).toEqual(
      [],
    );
  });

  it.each([
    [['--images', '3'], /--out/],
    [['--out', 'x', '--images', 'many'], /an integer of at least 0/],
    [['--out', 'x', '--images', '3', '--split', 'train'], /standard, paraphrase/],
    [['--out', 'x', '--images', '3', '--kinds', 'caption,poem'], /caption, expression/],
    [['--out', 'x', '--images', '3', '--needs-color', '2'], /between 0 and 1/],
    [['--out', 'x', '--images', '3', '--min-objects', '12'], /minObjects is 12/],
  ])('rejects %j', async (args, message) => {
    const command = scenesCommand()
      .exitOverride()
      .configureOutput({ writeErr: () => undefined });
    await expect(command.parseAsync(args, { from: 'user' })).rejects.toThrow(message);
    expect(await filesIn('x')).toEqual([]);
  });

  it('has examples in its help', () => {
    let help = '';
    scenesCommand()
      .configureOutput({ writeOut: (text) => (help += text) })
      .outputHelp();
    expect(help).toContain('mdetr scenes --out scenes/train --images 2000');
    expect(help).toContain('cogent-b');
  });
});
