import type { Command } from 'commander';

/** A command as the overview shows it. Its code is loaded only when it is called: start-up stays fast. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

// prettier-ignore
export const commands: readonly CommandEntry[] = [
  { name: 'detect', summary: 'boxes for what a text mentions', load: async () => (await import('./commands/detect.ts')).detectCommand() },
  { name: 'refer', summary: 'the one object that an expression refers to', load: async () => (await import('./commands/refer.ts')).referCommand() },
  { name: 'ask', summary: 'the answer to a question about a picture', load: async () => (await import('./commands/ask.ts')).askCommand() },
  { name: 'evaluate', summary: "the task's published metric, as a table and as JSON", load: async () => (await import('./commands/evaluate.ts')).evaluateCommand() },
  { name: 'data', summary: 'prepares, checks, shows, combines and indexes annotation files', load: async () => (await import('./commands/data.ts')).dataCommand() },
  { name: 'train', summary: 'trains or fine-tunes a model', load: async () => (await import('./commands/train.ts')).trainCommand() },
  { name: 'plot', summary: 'curves of training runs as a picture', load: async () => (await import('./commands/plot.ts')).plotCommand() },
  { name: 'convert', summary: 'checkpoints between .pth, .safetensors and model folders', load: async () => (await import('./commands/convert.ts')).convertCommand() },
  { name: 'pull', summary: 'fetches published checkpoints and vocabularies', load: async () => (await import('./commands/pull.ts')).pullCommand() },
  { name: 'info', summary: 'what is inside a model or checkpoint', load: async () => (await import('./commands/info.ts')).infoCommand() },
  { name: 'cache', summary: 'list or clear the compiled networks', load: async () => (await import('./commands/cache.ts')).cacheCommand() },
  { name: 'scenes', summary: 'draws procedural CLEVR-format scenes with boxes, masks and texts', load: async () => (await import('./commands/scenes.ts')).scenesCommand() },
];
