import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { runtime } from '../../../test/support/op-check.ts';
import { SMALLEST_NETWORK } from '../../../test/support/small-detector.ts';
import { syntheticSource } from '../../../test/support/synthetic-weights.ts';
import { ProgramCache, PROGRAMS_SUFFIX } from '../../engine/runtime/node/program-cache.ts';
import { MdetrNetwork, parseModelConfig } from '../../models/index.ts';
import { loadEarly, loadStages, type EarlyStages, type StagesOptions } from './known-programs.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-known-'));
afterAll(() => rmSync(folder, { recursive: true }));

const config = parseModelConfig({
  ...SMALLEST_NETWORK,
  backbone: 'small_convnet',
  small_backbone: { widths: [8, 8], groups: 4 },
});
const model = new MdetrNetwork(config);
const weights = syntheticSource(model);
const cache = new ProgramCache({ folder });

const [code, otherCode] = ['a', 'b'].map((digit) => digit.repeat(64)) as [string, string];
const call = ['/models/small'];

/** Loads the programs and returns their names in alphabetical order; those of a model that cannot be traced are found or fail. */
const load = async (digest: string, canTrace: boolean, early?: EarlyStages): Promise<string[]> => {
  const names: string[] = [];
  const traceable = canTrace ? model : (undefined as unknown as MdetrNetwork);
  const source = { name: 'small', config, model: traceable, weights };
  const loading = { cache, onLoad: (name: string) => names.push(name), code: digest };
  const stages = await loadStages(source, runtime, loading, call, early);
  await Promise.all([stages.image.dispose(), stages.text.dispose()]);
  return names.sort();
};
const early = (options: Partial<StagesOptions> = {}, key = call): Promise<EarlyStages | undefined> =>
  loadEarly(key, Promise.resolve(runtime), { cache, onLoad: () => undefined, code, ...options });

/** Files in the cache that name programs, by whether they name the programs themselves or such a file. */
const filesOf = (kind: 'recipe' | 'call'): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => join(folder, name))
    .filter((path) => readFileSync(path, 'utf8').endsWith(PROGRAMS_SUFFIX) === (kind === 'call'));

describe('programs that were compiled before', () => {
  it('are found without tracing, by the same code only; a damaged file or a missing entry is made again', async () => {
    expect(await load(code, true)).toEqual(['image', 'text']);
    const [recipe, ...others] = filesOf('recipe');
    expect(others).toEqual([]);
    expect(await load(code, false)).toEqual(['image', 'text']);
    await expect(load(otherCode, false)).rejects.toThrow(TypeError);

    for (const damage of ['', '{"image":{"entry":"../../x"}}', '{"image":null}']) {
      writeFileSync(recipe!, damage);
      await expect(load(code, false), damage).rejects.toThrow(TypeError);
      expect(await load(code, true)).toEqual(['image', 'text']);
      expect(await load(code, false)).toEqual(['image', 'text']);
    }

    const [entry] = await cache.entries();
    rmSync(join(folder, entry!.key), { recursive: true });
    expect(await load(code, true)).toEqual(['image', 'text']);
    await cache.clear();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('tell once that their sessions are being created, before these are ready', async () => {
    await load(code, true);
    const events: string[] = [];
    const options = { cache, onLoad: (name: string) => events.push(name), code };
    const loaded = await loadEarly(call, Promise.resolve(runtime), options, () => events.push('creating'));
    events.push('ready');
    expect(events).toEqual(['text', 'image', 'creating', 'ready']);
    await Promise.all([loaded!.stages.image.dispose(), loaded!.stages.text.dispose()]);
    await cache.clear();
  });

  it('are loaded before the model is read, and disposed if the model is another one by then', async () => {
    expect(await early()).toBeUndefined();
    await load(code, true);
    expect(await early({}, ['/models/other'])).toBeUndefined();
    expect(await early({ code: otherCode })).toBeUndefined();

    const found = await early();
    expect(await load(code, false, found)).toEqual([]);
    const unused = await early();
    const dispose = vi.spyOn(unused!.stages.text, 'dispose');
    expect(await load(code, true, { ...unused!, recipe: 'of other weights' })).toEqual(['image', 'text']);
    expect(dispose).toHaveBeenCalledOnce();

    for (const damage of ['', '../../x.programs.json', `${'0'.repeat(40)}${PROGRAMS_SUFFIX}`]) {
      writeFileSync(filesOf('call')[0]!, damage);
      expect(await early(), damage).toBeUndefined();
      await cache.clear();
      await load(code, true);
    }
  });
});
