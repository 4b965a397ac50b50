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

/** Precisions, and the file of each in a folder with one file. */
const DTYPES = ['float32', 'float16', 'int8'] as const;
const FILES = { float32: 'model.onnx', float16: 'model_fp16.onnx', int8: 'model_quantized.onnx' } as const;

interface Found {
  readonly score: number;
  readonly box: readonly number[];
}

/** Output of the programs for masks and answers. */
interface ObjectMask {
  readonly score: number;
  readonly area: number;
}

describe('mdetr export', () => {
  const command = new CommandLine();
  let expected: readonly Found[] = [];

  beforeAll(async () => {
    for (const args of [['parts'], ['single', '--single-file', '--dtype', DTYPES.join()]]) {
      const result = await command.call('export', '--out', ...args);
      expect(result.status, result.stderr).toBe(0);
      expect(result.stdout).toMatch(/^\w+: \w+ layout, float32( and float16 and int8)?, [\d.]+ MB\n$/);
    }
    const [detected] = await command.json('detect', scene, '--caption', caption);
    expected = detected!['detections'] as readonly Found[];
    expect(expected).toHaveLength(2);
  });
  afterAll(() => command.remove());

  const expectSame = (found: readonly Found[], scoreDigits: number, px: number, same = expected): void => {
    const byScore = (list: readonly Found[]) => list.toSorted((a, b) => b.score - a.score);
    expect(found).toHaveLength(same.length);
    byScore(found).forEach(({ score, box }, index) => {
      const wanted = byScore(same)[index]!;
      expect(score).toBeCloseTo(wanted.score, scoreDigits);
      box.forEach((value, axis) => expect(Math.abs(value - wanted.box[axis]!)).toBeLessThan(px));
    });
  };
  const jsonLinesOf = <Line>({ status, stderr, stdout }: SpawnSyncReturns<string>): Line[] => {
    expect(status, stderr).toBe(0);
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
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

  /** Programs without this package, with the resizing filter of each: Pillow's is ours, sharp's is another one. */
  const PROGRAMS = [
    { command: process.execPath, folder: 'examples/export', ending: '.mjs', scoreDigits: 1, px: 2, area: 0.02 },
    { command: python, folder: 'bench/export', ending: '.py', scoreDigits: 4, px: 0.1, area: 0.005 },
  ] as const;
  const QUESTION = 'What color is the large sphere in front of the brown ball?';

  describe.each(PROGRAMS)('for a program of $folder without this package', (program) => {
    const { command: interpreter, folder, ending, scoreDigits, px, area } = program;
    const canRun = interpreter !== python || canConsume;
    const reason = missing(canRun, 'onnxruntime, tokenizers or Pillow');
    const run = (name: string, text: string, dtype: (typeof DTYPES)[number]): SpawnSyncReturns<string> => {
      const path = join(projectRoot, folder, `${name}${ending}`);
      expect(readFileSync(path, 'utf8')).not.toMatch(/from '(mdetr|\.)|import mdetr/);
      return spawnSync(interpreter, [path, command.file('single'), scene, text, FILES[dtype]], { encoding: 'utf8' });
    };

    it.skipIf(!canRun).each(DTYPES)(`has the same detections in %s${reason}`, async (dtype) => {
      const [detected] = await command.json(
        'detect',
        scene,
        '--caption',
        caption,
        '--model',
        'single',
        '--dtype',
        dtype,
      );
      expectSame(jsonLinesOf(run('detect', caption, dtype)), scoreDigits, px, detected!['detections'] as Found[]);
    });

    it.skipIf(!canRun).each(DTYPES)(`has the same masks and answers in %s${reason}`, async (dtype) => {
      const args = [scene, '--model', 'single', '--dtype', dtype];
      const [detected] = await command.json('detect', ...args, '--caption', caption, '--masks');
      const [answered] = await command.json('ask', ...args, '--question', QUESTION);
      const areas = (list: readonly ObjectMask[], total: number) =>
        list.toSorted((a, b) => b.score - a.score).map((object) => object.area / total);
      const wanted = areas(detected!['detections'] as ObjectMask[], 480 * 320);
      const found = areas(jsonLinesOf<ObjectMask>(run('masks', caption, dtype)), 1);
      expect(found).toHaveLength(wanted.length);
      found.forEach((value, index) => expect(Math.abs(value - wanted[index]!)).toBeLessThan(area));
      expect(jsonLinesOf(run('answer', QUESTION, dtype))).toEqual([{ answer: answered!['answer'] }]);
    });
  });

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
