import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine, expectRefusal, projectRoot, scene } from '../support/run-mdetr.ts';

const caption = 'a large green sphere and the small purple cylinder';
const python = process.env['MDETR_TEST_PYTHON'] ?? 'python3';
const hasPython = (modules: string): boolean => spawnSync(python, ['-c', `import ${modules}`]).status === 0;
const canConsume = hasPython('onnxruntime, numpy, tokenizers, PIL');
const canCheck = hasPython('onnx');
const missing = (is: boolean, modules: string): string => (is ? '' : ` (skipped: ${python} lacks ${modules})`);

interface Found {
  readonly score: number;
  readonly box: readonly number[];
}

describe('mdetr export', () => {
  const command = new CommandLine();
  let expected: readonly Found[] = [];

  beforeAll(async () => {
    for (const args of [['parts'], ['single', '--single-file']]) {
      const result = await command.call('export', '--out', ...args);
      expect(result.status, result.stderr).toBe(0);
      expect(result.stdout).toMatch(/^\w+: \w+ layout, float32, [\d.]+ MB\n$/);
    }
    const [detected] = await command.json('detect', scene, '--caption', caption);
    expected = detected!['detections'] as readonly Found[];
    expect(expected).toHaveLength(2);
  });
  afterAll(() => command.remove());

  const expectSame = (found: readonly Found[], scoreDigits: number, px: number): void => {
    const byScore = (list: readonly Found[]) => list.toSorted((a, b) => b.score - a.score);
    expect(found).toHaveLength(expected.length);
    byScore(found).forEach(({ score, box }, index) => {
      const wanted = byScore(expected)[index]!;
      expect(score).toBeCloseTo(wanted.score, scoreDigits);
      box.forEach((value, axis) => expect(Math.abs(value - wanted.box[axis]!)).toBeLessThan(px));
    });
  };
  const linesOf = ({ status, stderr, stdout }: SpawnSyncReturns<string>): Found[] => {
    expect(status, stderr).toBe(0);
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Found);
  };

  it('writes folders that detect, refer, ask and info take', async () => {
    for (const folder of ['parts', 'single']) {
      const [detected] = await command.json('detect', scene, '--caption', caption, '--model', folder);
      expectSame(detected!['detections'] as Found[], 5, 0.01);
    }
    const [referred] = await command.json(
      'refer',
      scene,
      '--expression',
      'the purple cylinder',
      '--masks',
      '--model',
      'parts',
    );
    expect(referred).toMatchObject({ best: { mask: { size: [320, 480] } } });
    const [answered] = await command.json(
      'ask',
      scene,
      '--question',
      'What color is the large sphere in front of the brown ball?',
      '--model',
      'single',
    );
    expect(answered).toMatchObject({ answer: 'gray' });
    const described = await command.call('info', 'parts');
    expect(described.stdout).toMatch(/exported by mdetr .*, parts layout[\s\S]*image_index +int32 +\[batch\]/);
    const [json] = await command.json('info', 'single');
    expect(json).toMatchObject({ layout: 'single', precisions: { float32: { model: { file: 'model.onnx' } } } });
  });

  it('refuses wrong calls', async () => {
    expectRefusal(await command.call('export'), 2, /required option '--out <dir>'/);
    expectRefusal(await command.call('export', '--out', 'parts'), 2, /is there already; replace it with --overwrite/);
    expectRefusal(await command.call('export', '--out', 'x', '--hub', '--single-file'), 2, /cannot be used with/);
    expectRefusal(await command.call('export', '--out', 'x', '--dtype', 'int4'), 2, /--dtype must be float32/);
    expectRefusal(await command.call('convert', 'parts', 'x.pth'), 1, /is an exported model/);
  });

  it('gives a JavaScript program without this package the same detections', () => {
    const program = join(projectRoot, 'examples/export/detect.mjs');
    expect(readFileSync(program, 'utf8')).not.toMatch(/from '(mdetr|\.)/);
    const run = spawnSync(process.execPath, [program, command.file('single'), scene, caption], { encoding: 'utf8' });
    // Its resizing filter is another one.
    expectSame(linesOf(run), 1, 2);
  });

  it.skipIf(!canConsume)(
    `gives a Python program the same detections${missing(canConsume, 'onnxruntime, tokenizers or Pillow')}`,
    () => {
      const program = join(projectRoot, 'bench/export/detect.py');
      const run = spawnSync(python, [program, command.file('single'), scene, caption], { encoding: 'utf8' });
      expectSame(linesOf(run), 4, 0.1);
    },
  );

  it.skipIf(!canCheck)(`passes onnx.checker with strict shape inference${missing(canCheck, 'onnx')}`, () => {
    const files = ['parts/image', 'parts/text', 'parts/masks', 'single/model'];
    const check = `
import onnx, sys
for path in sys.argv[1:]:
    onnx.checker.check_model(path, full_check=True)
    onnx.shape_inference.infer_shapes(onnx.load(path), check_type=True, strict_mode=True, data_prop=True)
    print('checked')`;
    const paths = files.map((name) => command.file(`${name}.onnx`));
    const run = spawnSync(python, ['-c', check, ...paths], { encoding: 'utf8' });
    expect(run.stderr).toBe('');
    expect(run.stdout.trim().split('\n')).toEqual(files.map(() => 'checked'));
  });
});
