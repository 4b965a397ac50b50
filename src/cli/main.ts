#!/usr/bin/env node
import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { messageOf, UsageError } from '../errors.ts';

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

/** The whole command line. Every command is one file of this folder that exports a function making its `Command`. */
const buildProgram = (): Command =>
  new Command('mdetr')
    .description('Finds in an image what a text mentions, and says which words each box belongs to (MDETR, ICCV 2021).')
    .version(version)
    .option('--debug', 'print stack traces')
    .showHelpAfterError('(add --help for the options and examples)')
    .exitOverride();

const main = async (argv: readonly string[]): Promise<number> => {
  const program = buildProgram();
  try {
    await program.parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    // Commander has printed its own message already; help and version end with exit code 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const { debug } = program.opts<{ debug?: boolean }>();
    process.stderr.write(
      debug === true && error instanceof Error ? `${error.stack ?? error.message}\n` : `mdetr: ${messageOf(error)}\n`,
    );
    return error instanceof UsageError ? 2 : 1;
  }
};

process.exitCode = await main(process.argv.slice(2));
