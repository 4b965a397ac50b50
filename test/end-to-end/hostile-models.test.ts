import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine, expectRefusal, projectRoot, roberta, scene } from '../support/run-mdetr.ts';

let cli: CommandLine;
/** A model folder with weights, made by the command line from the embedded model. */
let model: string;
beforeAll(async () => {
  cli = new CommandLine();
  model = cli.file('model');
  const { status, stderr } = await cli.call('convert', 'default', model);
  expect(status, stderr).toBe(0);
});
afterAll(() => cli.remove());

const detect = (...args: string[]) => cli.call('detect', scene, '--caption', 'a cube', ...args);

/** A copy of the model folder with one file replaced. */
const changed = (name: string, file: string, content: string | Uint8Array): string => {
  const folder = cli.file(name);
  mkdirSync(folder);
  for (const part of ['config.json', 'tokenizer.json', 'preprocessor_config.json', 'model.safetensors'])
    writeFileSync(join(folder, part), part === file ? content : readFileSync(join(model, part)));
  return folder;
};
const config = (values: object): string =>
  JSON.stringify({
    ...(JSON.parse(readFileSync(join(projectRoot, 'models/default/config.json'), 'utf8')) as object),
    ...values,
  });

describe('malicious or damaged files', () => {
  it.each([
    ['legacy', (target: string) => Buffer.from(`cos\nsystem\n(S'touch ${target}'\ntR.`)],
    ['protocol 2', (target: string) => Buffer.from(`\x80\x02cposix\nsystem\nX\n\0\0\0touch ${target}\x85R.`, 'latin1')],
  ])('a pickle that would run a command is refused and not run (%s)', async (_, make) => {
    const path = cli.file('harmful.pth');
    writeFileSync(path, make(cli.file('harmed')));
    for (const args of [
      ['info', path],
      ['convert', path, cli.file('out')],
    ])
      expectRefusal(await cli.call(...args), 1, /harmful\.pth/);
    expectRefusal(await detect('--model', path, '--tokenizer', roberta), 1, /harmful\.pth/);
    expect(existsSync(cli.file('harmed'))).toBe(false);
    expect(existsSync(cli.file('out'))).toBe(false);
  });

  it.each([
    ['truncated', (bytes: Buffer) => bytes.subarray(0, 100_000)],
    ['without its header', (bytes: Buffer) => bytes.subarray(20)],
    [
      'with a header length beyond the file',
      (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 0, 0, 1]), bytes]),
    ],
    ['empty', () => Buffer.alloc(0)],
  ])('weights that are %s are refused, naming the file', async (name, damage) => {
    const folder = changed(
      `weights ${name}`,
      'model.safetensors',
      damage(readFileSync(join(model, 'model.safetensors'))),
    );
    expectRefusal(await detect('--model', folder), 1, /model\.safetensors/);
    expectRefusal(await cli.call('info', folder), 1, /model\.safetensors/);
  });
});

describe('files that do not fit the model', () => {
  it.each([
    ['not JSON', 'not json', /config\.json: is not JSON/],
    ['a list', '[]', /config\.json: must hold a JSON object/],
    ['of a non-numeric number', config({ hidden_dim: 'wide' }), /"hidden_dim"/],
    ['of heads that do not divide the width', config({ nheads: 7 }), /hidden_dim 128 .*nheads 7/],
    ['of an unknown backbone', config({ small_backbone: undefined, backbone: 'vgg16' }), /"vgg16" is unknown/],
    ['of another network', config({ enc_layers: 5 }), /missing from the file .*encoder\.layers\.3/],
    ['of other shapes', config({ num_queries: 20 }), /query_embed\.weight is \[16,128\] and should be \[20,128\]/],
  ])('refuses a config that is %s', async (name, content, message) => {
    expectRefusal(await detect('--model', changed(`config ${name}`, 'config.json', content)), 1, message);
  });

  it('refuses vocabularies that are broken, missing or of another model', async () => {
    expectRefusal(await detect('--model', changed('vocabulary', 'tokenizer.json', '{}')), 1, /tokenizer\.json/);
    expectRefusal(await detect('--tokenizer', roberta), 1, /50265 tokens.*another model's vocabulary/);
    expectRefusal(await detect('--tokenizer', cli.file('nowhere')), 1, /nowhere/);
  });

  it('refuses a preprocessing config with a negative size', async () => {
    const folder = changed('preprocessing', 'preprocessor_config.json', '{"size": {"shortest_edge": -1}}');
    expectRefusal(await detect('--model', folder), 1, /preprocessor_config\.json: needs "size"/);
  });

  it('refuses questions to a model without question heads', async () => {
    const plain = changed('plain', 'config.json', config({ do_qa: false }));
    expectRefusal(await cli.call('ask', scene, '--question', 'what is it?', '--model', plain), 1, /no question heads/);
  });
});
