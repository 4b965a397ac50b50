import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint, tensorSource, writePth, writeSafetensors } from '../../checkpoints/index.ts';
import { UsageError } from '../../errors.ts';
import { convertModel } from './convert.ts';
import { describeModel } from './model-info.ts';
import { openModelSource, openModelWithFiles } from './model-source.ts';

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'mdetr-convert-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

/** Every tensor of a file as text: name, type, shape and bytes. */
const contentsOf = async (path: string): Promise<string[]> => {
  const checkpoint = await openCheckpoint(path);
  try {
    const lines: string[] = [];
    for (const { name, dtype, shape, read } of checkpoint.tensors.values())
      lines.push(`${name} ${dtype} ${shape.join()} ${Buffer.from(await read()).toString('base64')}`);
    return lines;
  } finally {
    await checkpoint.close();
  }
};

/** Nothing of a conversion that was given up lies about. */
const expectNoLeftovers = (): void => {
  expect(readdirSync(folder).filter((name) => name.includes('.tmp') || name.startsWith('.'))).toEqual([]);
};

describe('converting', () => {
  it('goes from a folder to .pth and .safetensors and back without loss', async () => {
    await convertModel('default', at('model'));
    const original = await contentsOf(at('model/model.safetensors'));
    expect(original.length).toBeGreaterThan(200);
    await convertModel(at('model'), at('model.pth'));
    await convertModel(at('model'), at('model.safetensors'));
    expect(await contentsOf(at('model.pth'))).toEqual(original);
    expect((await contentsOf(at('model.safetensors'))).sort()).toEqual([...original].sort());
    await convertModel(at('model.pth'), at('again'), { tokenizer: at('model') });
    await convertModel(at('model.safetensors'), at('once-more'), { tokenizer: at('model') });
    for (const copy of ['again', 'once-more']) {
      // The record of known words stays in the folder, as the next test says.
      const expected = readdirSync(at('model')).filter((name) => name !== 'words.json');
      expect(readdirSync(at(copy)).sort()).toEqual(expected.sort());
      expect(JSON.parse(readFileSync(at(`${copy}/config.json`), 'utf8'))).toEqual(
        JSON.parse(readFileSync(at('model/config.json'), 'utf8')),
      );
      expect((await contentsOf(at(`${copy}/model.safetensors`))).sort()).toEqual([...original].sort());
    }
    expectNoLeftovers();
  });

  it("keeps the version of model folders out of weight files, whose arguments are the model's own", async () => {
    for (const name of ['model.pth', 'model.safetensors']) {
      const { values } = await openModelWithFiles(at(name), { tokenizer: at('model') });
      expect(values, name).toHaveProperty('hidden_dim');
      expect(values, name).not.toHaveProperty('mdetr_version');
    }
  });

  it('carries the image size through files, and names what it leaves', async () => {
    const size = { shortestEdge: 96, longestEdge: 144 };
    for (const name of ['model.pth', 'model.safetensors', 'again', 'once-more']) {
      const opened = await openModelSource(at(name), { tokenizer: at('model') });
      expect(opened.preprocessing, name).toEqual(size);
      await opened.close();
    }
    const { leftOut } = await convertModel(at('model'), at('left.safetensors'));
    expect(leftOut).toEqual(['README.md', 'tokenizer.json', 'words.json']);
    expect((await convertModel(at('model'), at('left.pth'), { bare: true })).leftOut).toEqual([
      'README.md',
      'tokenizer.json',
      'words.json',
      'the arguments',
      'the image size (preprocessor_config)',
    ]);
  });

  it('reads sharded weights behind the prefix of a wrapper, and writes official names', async () => {
    cpSync(at('model'), at('sharded'), { recursive: true });
    const source = await openCheckpoint(at('sharded/model.safetensors'));
    const tensors = [...source.tensors.values()].map((tensor) => ({
      ...tensor,
      name: `_orig_mod.module.${tensor.name}`,
    }));
    const shards = { 'a.safetensors': tensors.slice(0, 50), 'b.safetensors': tensors.slice(50) };
    const map: Record<string, string> = {};
    for (const [shard, part] of Object.entries(shards)) {
      await writeSafetensors(at(`sharded/${shard}`), part);
      for (const { name } of part) map[name] = shard;
    }
    await source.close();
    writeFileSync(at('sharded/model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
    rmSync(at('sharded/model.safetensors'));
    const { fit } = await describeModel(at('sharded'));
    expect(fit.report).toContain('; prefix "_orig_mod.module." removed');
    expect(fit.fits).toBe(true);
    await convertModel(at('sharded'), at('joined'));
    expect((await contentsOf(at('joined/model.safetensors'))).sort()).toEqual(
      (await contentsOf(at('model/model.safetensors'))).sort(),
    );
  });

  it('refuses a config that asks for any amount of work', async () => {
    cpSync(at('model'), at('large'), { recursive: true });
    const config = JSON.parse(readFileSync(at('large/config.json'), 'utf8')) as Record<string, unknown>;
    for (const [key, value] of Object.entries({ enc_layers: 1_000_000, hidden_dim: 2 ** 40, num_queries: 1e300 })) {
      writeFileSync(at('large/config.json'), JSON.stringify({ ...config, [key]: value }));
      await expect(openModelSource(at('large'))).rejects.toThrow(new RegExp(`config.json: "${key}" (too big|invalid)`));
    }
    rmSync(at('large/model.safetensors'));
    const huge = { ...config, init_seed: 1, enc_layers: 100, dim_feedforward: 131_072, hidden_dim: 4096 };
    writeFileSync(at('large/config.json'), JSON.stringify(huge));
    await expect(openModelSource(at('large'))).rejects.toThrow(/the initial weights of its network take more than/);
  });

  it('gives the weights that the model has', async () => {
    const [given, converted] = [await openModelSource('default'), await openModelSource(at('model'))];
    const name = 'detr.transformer.decoder.layers.1.linear1.weight';
    expect(await converted.weights.read(name)).toEqual(await given.weights.read(name));
    expect(converted.report).toMatch(/\d+ of \d+ tensors loaded/);
    await converted.close();
    await given.close();
  });

  it('writes files that the owner can change, and a card that says where they come from', async () => {
    writeFileSync(at('model/tokenizer.json'), readFileSync(at('model/tokenizer.json')));
    const card = readFileSync(at('model/README.md'), 'utf8');
    expect(card).toMatch(/the only weights of the file of `default` \(\d+ bytes\)/);
    expect(await describeModel(at('model'))).toMatchObject({ format: 'model folder', fit: { fits: true } });
  });
});

describe('what is in the way', () => {
  it('is kept: files and folders without force, and folders of anything else even with it', async () => {
    writeFileSync(at('taken.pth'), 'mine');
    await expect(convertModel('default', at('taken.pth'))).rejects.toThrow(UsageError);
    await expect(convertModel('default', at('model'))).rejects.toThrow(/--overwrite/);
    mkdirSync(at('photos'));
    writeFileSync(at('photos/summer.jpg'), 'mine');
    await expect(convertModel('default', at('photos'), { force: true })).rejects.toThrow(/summer\.jpg/);
    await expect(convertModel(at('model'), at('model'), { force: true })).rejects.toThrow(/the model itself/);
    expect(readFileSync(at('taken.pth'), 'utf8')).toBe('mine');
    expect(readFileSync(at('photos/summer.jpg'), 'utf8')).toBe('mine');
    expectNoLeftovers();
  });

  it('is replaced with force, as a whole', async () => {
    await convertModel('default', at('taken.pth'), { force: true });
    expect((await openCheckpoint(at('taken.pth'))).format).toBe('pth-zip');
    writeFileSync(at('again/README.md'), 'old');
    await convertModel('default', at('again'), { force: true });
    expect(readFileSync(at('again/README.md'), 'utf8')).not.toBe('old');
    expectNoLeftovers();
  });
});

describe('what cannot be converted', () => {
  const mini = new URL('../../../test/fixtures/reference/checkpoints/mini.pth', import.meta.url).pathname;

  it('a checkpoint that lacks what its arguments ask for is refused before anything is written', async () => {
    await expect(convertModel(mini, at('mini'), { tokenizer: at('model') })).rejects.toThrow(/missing from the file/);
    expect(existsSync(at('mini'))).toBe(false);
  });

  it('a file that does not say what it is for needs --config, or becomes another bare file', async () => {
    const shape = [2];
    const read = () => Promise.resolve(new Uint8Array(8));
    await writePth(at('bare.pth'), { model: [{ name: 'a', dtype: 'f32', shape, read }] });
    await expect(convertModel(at('bare.pth'), at('bare'))).rejects.toThrow(/--config/);
    expect(existsSync(at('bare'))).toBe(false);
    await convertModel(at('bare.pth'), at('bare.safetensors'));
    expect(await contentsOf(at('bare.safetensors'))).toEqual(await contentsOf(at('bare.pth')));
  });

  it('a model folder needs a vocabulary', async () => {
    mkdirSync(at('nothing'));
    await expect(convertModel('default', at('x'), { tokenizer: at('nothing') })).rejects.toThrow(/tokenizer\.json/);
    expectNoLeftovers();
  });

  it.each(['interrupted', 'interrupted.pth', 'interrupted.safetensors'])('stops for a signal: %s', async (name) => {
    const stop = new AbortController();
    stop.abort('SIGINT');
    await expect(convertModel('default', at(name), { signal: stop.signal })).rejects.toBe('SIGINT');
    expect(existsSync(at(name))).toBe(false);
    expectNoLeftovers();
  });

  it('changes the precision only when it is told to', async () => {
    const bytesOf = async (name: string): Promise<number> => (await describeModel(at(name))).bytes;
    const typesOf = async (name: string): Promise<Set<string>> =>
      new Set((await describeModel(at(name))).tensors.map(({ dtype }) => dtype));
    await convertModel('default', at('full'), { dtype: 'float32' });
    await convertModel(at('full'), at('half'), { dtype: 'float16' });
    await convertModel(at('full'), at('small'), { dtype: 'int8' });
    expect((await bytesOf('half')) / (await bytesOf('full'))).toBeLessThan(0.52);
    expect((await bytesOf('small')) / (await bytesOf('full'))).toBeLessThan(0.3);
    expect(await typesOf('full')).toEqual(new Set(['f32']));
    expect(await typesOf('half')).toEqual(new Set(['f16', 'f32']));
    expect(await typesOf('small')).toEqual(new Set(['i8', 'f16', 'f32']));

    await convertModel(at('small'), at('small-copy.safetensors'));
    expect(await typesOf('small-copy.safetensors')).toEqual(new Set(['i8', 'f16', 'f32']));
    expect((await contentsOf(at('small-copy.safetensors'))).sort()).toEqual(
      (await contentsOf(at('small/model.safetensors'))).sort(),
    );
    const { leftOut } = await convertModel(at('small'), at('small.pth'));
    expect(leftOut).toContain('the 8-bit form of the weights (written as floats)');
    await expect(convertModel(at('full'), at('x.pth'), { dtype: 'int8' })).rejects.toThrow(/holds no 8-bit weights/);
  });

  it('keeps tables and detectors as half floats in int8', async () => {
    await convertModel('models/photos', at('photos-int8'), { dtype: 'int8' });
    const original = await openCheckpoint('models/photos/model.safetensors');
    const converted = await openCheckpoint(at('photos-int8/model.safetensors'));
    expect(converted.tensors.get('transformer.encoder.layers.0.linear1.weight')!.stored).toBe('i8');
    // 8 bits with a scale per column would turn the indices of concepts into others.
    for (const name of ['priming.lexicon', 'backbone.0.body.stem.weight', 'backbone.0.body.blocks.3.exit.weight'])
      expect(await converted.tensors.get(name)!.readFloat32(), name).toEqual(
        await original.tensors.get(name)!.readFloat32(),
      );
    await original.close();
    await converted.close();
  });

  it('refuses half floats for values that they cannot hold', async () => {
    const original = await openCheckpoint('models/default/model.safetensors');
    const tensors = [...original.tensors.values()].map((entry) =>
      entry.shape.length === 2 && entry.byteLength > 4096
        ? tensorSource(entry.name, entry.shape, new Float32Array(entry.shape[0]! * entry.shape[1]!).fill(1e5))
        : entry,
    );
    await writeSafetensors(at('large.safetensors'), tensors);
    await original.close();
    const options = { dtype: 'float16', config: 'models/default/config.json' } as const;
    await expect(convertModel(at('large.safetensors'), at('large-half.safetensors'), options)).rejects.toThrow(
      /has values beyond 65504.*--dtype float32/,
    );
    expectNoLeftovers();
  });

  it('refuses 8-bit weights whose scales do not belong to them', async () => {
    const int8 = { name: 'w', shape: [4, 2], dtype: 'i8', read: () => Promise.resolve(new Uint8Array(8)) } as const;
    const scales = (shape: readonly number[], name = 'w.int8_scale') =>
      tensorSource(name, shape, new Float32Array(shape.reduce((product, size) => product * size, 1)));
    const write = (...tensors: Parameters<typeof writeSafetensors>[1][]) =>
      writeSafetensors(
        at('bad.safetensors'),
        tensors.flatMap((list) => [...list]),
      );
    for (const shape of [[4], [2, 1], [4, 2], [1, 4]]) {
      await write([int8, scales(shape)]);
      await expect(openCheckpoint(at('bad.safetensors')), shape.join()).rejects.toThrow(/not one value per channel/);
    }
    await write([scales([4, 1])]);
    await expect(openCheckpoint(at('bad.safetensors'))).rejects.toThrow(/has no 8-bit weight "w"/);
    await write([int8, scales([4, 1])]);
    const good = await openCheckpoint(at('bad.safetensors'));
    expect(good.tensors.get('w')).toMatchObject({ dtype: 'f32', stored: 'i8' });
    expect(await good.tensors.get('w')!.readFloat32()).toEqual(new Float32Array(8));
    await good.close();
  });
});
