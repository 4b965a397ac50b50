#!/usr/bin/env node
import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { messageOf, UsageError } from '../errors.ts';
import { currentArguments } from '../names/current-names.ts';
import { commands } from './commands.ts';
import { note } from './output/progress.ts';

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

const examples = `
Examples
  mdetr detect street.jpg --caption "a man in a red coat and his dog" --out boxes.png
  mdetr detect *.jpg --caption "a dog" --json > dogs.jsonl
  mdetr refer street.jpg --expression "the dog on the left"
  mdetr ask street.jpg --question "what colour is the coat?"

"mdetr COMMAND --help" tells the options of a command, with examples.`;

/** The whole command line, with the code of one command; the others are there by name and summary only. */
const buildProgram = async (called: string | undefined): Promise<Command> => {
  const program = new Command('mdetr')
    .description('Finds in an image what a text mentions, and says which words each box belongs to (MDETR, ICCV 2021).')
    .usage('COMMAND [options]')
    .version(version)
    .option('--debug', 'print stack traces')
    .addHelpText('after', examples)
    .configureOutput({ outputError: errorLine('mdetr') })
    .exitOverride();
  for (const { name, summary, load } of commands) {
    const command = name === called ? (await load()).summary(summary) : new Command(name).description(summary);
    program.addCommand(inherit(command, program));
  }
  return program;
};

/** One line: the message, Commander's own suggestion if it has one, and where to read more. */
const errorLine =
  (command: string) =>
  (text: string, write: (line: string) => void): void =>
    write(`mdetr: ${oneLine(text.replace(/^error: /, ''))} (see ${command} --help)\n`);

/** Error handling as the program's, for a command and those below it. */
const inherit = (command: Command, parent: Command, path = `mdetr ${command.name()}`): Command => {
  command.copyInheritedSettings(parent).configureOutput({ outputError: errorLine(path) });
  for (const inner of command.commands) inherit(inner, command, `${path} ${inner.name()}`);
  return command;
};

const oneLine = (text: string): string => text.trim().replace(/\s*\n\s*/g, ' ');

/** `mdetr --debug detect …`, `mdetr help detect` and `mdetr detect …` all mean `detect`. */
const calledCommand = (argv: readonly string[]): string | undefined =>
  argv.filter((argument) => !argument.startsWith('-') && argument !== 'help')[0];

const main = async (argv: readonly string[]): Promise<number> => {
  const called = calledCommand(argv);
  const program = await buildProgram(called);
  if (argv.length === 0) {
    program.outputHelp({ error: true });
    return 2;
  }
  try {
    if (argv[0] === 'help' && called !== undefined && !commands.some(({ name }) => name === called))
      throw new UsageError(`unknown command '${called}' (see mdetr --help)`);
    const { value: args, notes } = currentArguments(called ?? '', argv);
    notes.forEach(note);
    await program.parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    // Commander has printed its own message already; help and version end with exit code 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const { debug } = program.opts<{ debug?: boolean }>();
    process.stderr.write(
      debug === true && error instanceof Error
        ? `${error.stack ?? error.message}\n`
        : `mdetr: ${oneLine(messageOf(error))}\n`,
    );
    return error instanceof UsageError ? 2 : 1;
  }
};

// Whoever reads our output may stop reading (`mdetr … | head -1`): then there is nobody left to work for.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });

process.exitCode = await main(process.argv.slice(2));
