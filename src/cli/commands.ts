import type { Command } from 'commander';

/** Command in the overview of `mdetr --help`. Its code is loaded only when it is called, which keeps startup fast. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** All commands, in the order of `mdetr --help`. */
// prettier-ignore
export const COMMANDS: readonly CommandEntry[] = [
  { name: 'detect', summary: 'detect the objects that captions mention', load: async () => (await import('./commands/detect.ts')).detectCommand() },
  { name: 'refer', summary: 'find the object that an expression refers to', load: async () => (await import('./commands/refer.ts')).referCommand() },
  { name: 'ask', summary: 'answer a question about an image', load: async () => (await import('./commands/ask.ts')).askCommand() },
  { name: 'serve', summary: 'answer over HTTP', load: async () => (await import('./commands/serve.ts')).serveCommand() },
  { name: 'mcp', summary: 'offer the tasks to language models (Model Context Protocol)', load: async () => (await import('./commands/mcp.ts')).mcpCommand() },
  { name: 'page', summary: 'write the page that runs in a browser', load: async () => (await import('./commands/page.ts')).pageCommand() },
  { name: 'track', summary: 'follow the objects that a caption mentions through a video', load: async () => (await import('./commands/track.ts')).trackCommand() },
  { name: 'merge', summary: 'join the results of the parts of a call', load: async () => (await import('./commands/merge.ts')).mergeCommand() },
  { name: 'evaluate', summary: 'compute the published metric of a benchmark', load: async () => (await import('./commands/evaluate.ts')).evaluateCommand() },
  { name: 'data', summary: 'import, prepare, check, show, combine and index annotation files', load: async () => (await import('./commands/data.ts')).dataCommand() },
  { name: 'finetune', summary: 'fine-tune a model on your own annotations', load: async () => (await import('./commands/finetune.ts')).finetuneCommand() },
  { name: 'train', summary: 'train or fine-tune a model', load: async () => (await import('./commands/train.ts')).trainCommand() },
  { name: 'calibrate', summary: 'measure which scores of a model mean found and present', load: async () => (await import('./commands/measure/calibrate.ts')).calibrateCommand() },
  { name: 'plot', summary: 'draw the curves of training runs', load: async () => (await import('./commands/plot.ts')).plotCommand() },
  { name: 'convert', summary: 'convert between .pth, .safetensors and model folders', load: async () => (await import('./commands/convert.ts')).convertCommand() },
  { name: 'quantize', summary: 'measure the ranges with which int8 computes with integers', load: async () => (await import('./commands/measure/quantize.ts')).quantizeCommand() },
  { name: 'export', summary: 'write a model as ONNX for other programs', load: async () => (await import('./commands/export.ts')).exportCommand() },
  { name: 'pull', summary: 'download published checkpoints and vocabularies', load: async () => (await import('./commands/pull.ts')).pullCommand() },
  { name: 'info', summary: 'describe a model or checkpoint', load: async () => (await import('./commands/info.ts')).infoCommand() },
  { name: 'cache', summary: 'list or clear the cache of compiled programs', load: async () => (await import('./commands/cache.ts')).cacheCommand() },
  { name: 'scenes', summary: 'render procedural scenes in CLEVR format with boxes, masks and captions', load: async () => (await import('./commands/scenes.ts')).scenesCommand() },
];
