import type { Command } from 'commander';

/** Shells for which a completion script is printed. */
export const COMPLETION_SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const;

const COMPLETION_HELP = `
Prints a script for your shell. It calls mdetr for the completions, so it stays right when mdetr is updated.
bash needs the package bash-completion of your system.

Examples
  source <(mdetr completion bash)                                         for this terminal
  mdetr completion bash > ~/.local/share/bash-completion/completions/mdetr
  mdetr completion zsh > "\${fpath[1]}/_mdetr"
  mdetr completion fish > ~/.config/fish/completions/mdetr.fish
  mdetr completion powershell >> $PROFILE`;

/** Values of options and arguments that Commander does not know: names that can be typed in the place of a path. */
const modelNames = async (): Promise<readonly string[]> => {
  const { CHECKPOINTS } = await import('../pull/catalog.ts');
  return ['default', ...CHECKPOINTS.map(({ name }) => name)];
};

const pullNames = async (): Promise<readonly string[]> => {
  const { CATALOG } = await import('../pull/catalog.ts');
  return CATALOG.map(({ name }) => name);
};

/** Last line of what `complete` prints: whether the shell may complete paths. */
const NO_FILES = ':4';
const FILES_TOO = ':0';

/** Adds the hidden command `complete`, which the scripts call, to a program with all of its commands. */
export const addCompletion = async (program: Command): Promise<void> => {
  const { default: addTab } = await import('@bomb.sh/tab/commander');
  const tab = addTab(program, { completionCommandName: 'completion' });
  program.commands.find((command) => command.name() === 'completion')?.addHelpText('after', COMPLETION_HELP);
  // Nearly every argument here is a path, which the library would never complete.
  program.commands
    .find((command) => command.name() === 'complete')
    ?.hook('preAction', () => {
      const { log } = console;
      console.log = (line: unknown): void => log(line === NO_FILES ? FILES_TOO : line);
    });
  const [models, published] = [await modelNames(), await pullNames()];
  for (const [name, command] of tab.commands) {
    const offer =
      (values: readonly string[]) =>
      (complete: (value: string, description: string) => void): void => {
        for (const value of values) complete(value, '');
      };
    const model = command.options.get('model');
    if (model !== undefined) model.handler = offer(models);
    if (name === 'pull') command.argument('name', offer(published), true);
  }
};
