import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { COMMANDS } from '../src/cli/commands.ts';
import { preparations } from '../src/datasets/preparations.ts';
import { CHECKPOINTS, findPublished } from '../src/pull/catalog.ts';
import { parseTrainConfig } from '../src/train/config/config.ts';
import { readConfigFile } from '../src/train/config/config-file.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const text = readFileSync(join(root, 'docs/reproduce.md'), 'utf8');
const lines = [...text.matchAll(/^npx mdetr (.+?)(?: +#.*)?$/gm)].map(([, line]) =>
  line!.replaceAll('$M', 'pretrained_resnet101').replaceAll('$A', 'data/mdetr_annotations').split(/ +/),
);

/** Values of an option in a command line. */
const valuesOf = (words: readonly string[], option: string): string[] =>
  words.flatMap((word, at) => (word === option ? [words[at + 1]!] : []));

it('docs/reproduce.md contains commands', () => expect(lines.length).toBeGreaterThan(30));

it.each(lines.map((words) => [words.join(' '), words] as const))('"mdetr %s" is a command', async (_line, words) => {
  const [name, ...rest] = words;
  const entry = COMMANDS.find((command) => command.name === name);
  expect(entry, name).toBeDefined();
  const command = (await entry!.load()).exitOverride().configureOutput({ writeErr: () => undefined });
  const known = new Set([command, ...command.commands.flatMap((inner) => [inner, ...inner.commands])].flatMap(
    ({ options }) => options.map(({ long }) => long),
  )); // prettier-ignore
  for (const word of rest) if (word.startsWith('--')) expect(known, word).toContain(word);
  for (const model of [...valuesOf(rest, '--model'), ...valuesOf(rest, '--load')])
    expect(findPublished(model), model).toBeDefined();
  if (name === 'pull')
    for (const word of rest) if (!word.startsWith('--')) expect(findPublished(word), word).toBeDefined();
  if (name === 'data') expect(preparations().map((preparation) => preparation.name)).toContain(rest[1]);
  const config = rest.find((word) => word.startsWith('configs/'));
  if (config === undefined) return;
  expect(existsSync(join(root, config)), config).toBe(true);
  const { stages } = await readConfigFile(join(root, config), valuesOf(rest, '--set'));
  for (const { values } of stages) parseTrainConfig(values, config);
});

it('names every published checkpoint', () => {
  const shortened = [...CHECKPOINTS].filter(
    ({ name }) => !text.includes(`\`${name}\``) && !/^refcoco(\+|g)?_/.test(name),
  );
  expect(shortened).toEqual([]);
});
