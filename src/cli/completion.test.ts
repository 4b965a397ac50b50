import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { COMMANDS } from './commands.ts';
import { addCompletion, COMPLETION_SHELLS } from './completion.ts';

const main = fileURLToPath(new URL('main.ts', import.meta.url));

const program = new Command('mdetr').exitOverride();
for (const { load } of COMMANDS) program.addCommand(await load());
await addCompletion(program);

/** Lines that a call prints, without descriptions. */
const lines = async (...args: readonly string[]): Promise<readonly string[]> => {
  const printed: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((line: unknown) => void printed.push(String(line)));
  await program.parseAsync(args, { from: 'user' });
  return printed.flatMap((text) => text.split('\n')).map((line) => line.split('\t')[0]!);
};
afterEach(() => {
  vi.restoreAllMocks();
});

describe('completion', () => {
  it.each(COMPLETION_SHELLS)('prints a script for %s, which calls mdetr', async (shell) => {
    expect((await lines('completion', shell)).join('\n')).toMatch(/mdetr complete '?--/);
  });

  it.each([
    ['help', 'completion'],
    ['completion', '--help'],
  ])('is explained by mdetr %s %s', (...args) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', main, ...args], {
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
    expect(stdout).toContain('source <(mdetr completion bash)');
  });

  it('works in bash', () => {
    // bash-completion, which need not be installed here, provides the first function.
    const script = `
      _get_comp_words_by_ref() {
        words=("\${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=\${words[cword]}; prev=\${words[cword - 1]}
      }
      mdetr() { "${process.execPath}" --import tsx "${main}" "$@"; }
      source <(mdetr completion bash)
      COMP_WORDS=(mdetr detect --cap); COMP_CWORD=2; COMP_LINE='mdetr detect --cap'; COMP_POINT=18
      __mdetr_complete; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
    expect(stdout, stderr).toBe('--caption\n');
  });
});

describe('complete', () => {
  it('knows commands, options, values and names, and leaves paths to the shell', async () => {
    expect(await lines('complete', '--', '')).toEqual(expect.arrayContaining(COMMANDS.map(({ name }) => name)));
    expect(await lines('complete', '--', 'detect', '--orient')).toEqual(['--orientation', ':0']);
    expect(await lines('complete', '--', 'detect', '--orientation', '')).toEqual(['exif', 'stored', ':0']);
    expect(await lines('complete', '--', 'detect', '--model', 'def')).toEqual(['default', ':0']);
    expect(await lines('complete', '--', 'pull', 'roberta-b')).toEqual(['roberta-base', 'roberta-base-weights', ':0']);
    expect(await lines('complete', '--', 'detect', '')).toEqual([':0']);
  });
});
