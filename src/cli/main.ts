import { Command, CommanderError } from 'commander';
import { disableTelemetry } from '../engine/runtime/node/telemetry.ts';
import { MdetrError, messageOf, UsageError } from '../errors.ts';
import { packageVersion } from '../files/package-folder.ts';
import { currentArguments } from '../names/current-names.ts';
import { COMMANDS } from './commands.ts';
import { guardStandardStreams, note, visible } from './output/print.ts';
import { isLongCall, runInChild, unpackArguments } from './start/long-call.ts';

const EXAMPLES = `
Examples
  mdetr detect street.jpg --caption "a man in a red coat and his dog" --out boxes.png
  mdetr detect *.jpg --caption "a dog" --json > dogs.jsonl
  mdetr refer street.jpg --expression "the dog on the left"
  mdetr ask street.jpg --question "what color is the coat?"

"mdetr COMMAND --help" lists the options of a command, with examples.`;

/** Builds the program. Only the code of the called command is loaded; the others are listed by name and summary. */
const buildProgram = async (called: string | undefined): Promise<Command> => {
  const program = new Command('mdetr')
    .description(
      'Detect the objects that a caption mentions, with the words that each box refers to (MDETR, ICCV 2021).',
    )
    .usage('COMMAND [options]')
    .version(packageVersion())
    .option('--debug', 'print stack traces of errors')
    .addHelpText('after', EXAMPLES)
    .configureOutput({ outputError: errorLine('mdetr') })
    .exitOverride();
  const isCompletion = called === 'completion' || called === 'complete';
  for (const { name, summary, load } of COMMANDS) {
    const isLoaded = isCompletion || name === called;
    const command = isLoaded ? (await load()).summary(summary) : new Command(name).description(summary);
    program.addCommand(inherit(command, program));
  }
  if (isCompletion) await (await import('./completion.ts')).addCompletion(program);
  else
    program.addCommand(
      inherit(new Command('completion').description('print a completion script for a shell'), program),
    );
  return program;
};

/** Prints an error of the command line in one line: the message, Commander's suggestion if any, and the help to read. */
const errorLine =
  (command: string) =>
  (text: string, write: (line: string) => void): void =>
    write(`mdetr: ${visible(oneLine(text.replace(/^error: /, '')))} (see ${command} --help)\n`);

/** Gives a command and its subcommands the error handling of the program. */
const inherit = (command: Command, parent: Command, path = `mdetr ${command.name()}`): Command => {
  command.copyInheritedSettings(parent).configureOutput({ outputError: errorLine(path) });
  for (const inner of command.commands) inherit(inner, command, `${path} ${inner.name()}`);
  return command;
};

const oneLine = (text: string): string => text.trim().replace(/\s*\n\s*/g, ' ');

/** `mdetr --debug detect …`, `mdetr help detect` and `mdetr detect …` all mean `detect`. */
const calledCommand = (argv: readonly string[]): string | undefined =>
  argv.filter((argument) => !argument.startsWith('-') && argument !== 'help')[0];

/** Prints an error on one line, or with its stack trace, and returns the exit status. */
const fail = (error: unknown, withStack: boolean): number => {
  // Another process of a group has printed it.
  if (error instanceof MdetrError && 'isReported' in error && error.isReported === true) return 1;
  if (withStack && error instanceof Error) process.stderr.write(`${visible(error.stack ?? error.message)}\n`);
  else note(oneLine(messageOf(error)));
  return error instanceof UsageError ? 2 : 1;
};

const main = async (argv: readonly string[]): Promise<number> => {
  const called = calledCommand(argv);
  const program = await buildProgram(called);
  if (argv.length === 0) {
    program.outputHelp({ error: true });
    return 2;
  }
  try {
    if (argv[0] === 'help' && called !== undefined && !program.commands.some((command) => command.name() === called))
      throw new UsageError(`unknown command '${called}' (see mdetr --help)`);
    const { value: args, notes } = currentArguments(called ?? '', argv);
    notes.forEach(note);
    await program.parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    // Commander has already printed its message; help and version exit with code 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return fail(error, program.opts<{ debug?: boolean }>().debug === true);
  }
};

/** Runs the call, in a child process if its command line is too long for ONNX Runtime. */
const start = async (): Promise<number> => {
  try {
    const handedOver = unpackArguments(process.env);
    const args = handedOver ?? process.argv.slice(2);
    return handedOver === undefined && isLongCall() ? await runInChild(args) : await main(args);
  } catch (error) {
    return fail(error, false);
  }
};

guardStandardStreams();
disableTelemetry();
/** Settles when the call is over and its exit status is set. Bundles in CommonJS format have no `await` outside of functions. */
export const ended: Promise<void> = start().then((status) => {
  process.exitCode = status;
});
