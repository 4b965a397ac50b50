import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A cell of a Jupyter notebook. */
export interface NotebookCell {
  readonly cell_type: string;
  readonly source: readonly string[];
  readonly outputs?: readonly {
    readonly text?: readonly string[];
    readonly data?: Readonly<Record<string, unknown>>;
  }[];
}

/** Printed text and displayed images (base64) of a code cell. */
export interface CellOutput {
  readonly text: string;
  readonly images: readonly string[];
}

const [NEXT_CELL, IMAGE] = ['\u0001cell', '\u0001image '];

export const readNotebook = (path: string): { readonly cells: readonly NotebookCell[] } =>
  JSON.parse(readFileSync(path, 'utf8')) as { readonly cells: readonly NotebookCell[] };

/**
 * Runs the code cells of a notebook as one module in a JavaScript runtime, in the notebook's folder. What `Deno.jupyter.image`
 * would display is gathered.
 *
 * @param command runtime and its arguments before the script
 */
export const runNotebook = (path: string, [program, ...args]: readonly [string, ...string[]]): CellOutput[] => {
  const folder = resolve(dirname(path));
  const temporary = mkdtempSync(join(tmpdir(), 'mdetr-notebook-'));
  try {
    const code = readNotebook(path)
      .cells.filter(({ cell_type: type }) => type === 'code')
      .map(({ source }) => `console.log(${JSON.stringify(NEXT_CELL)});\n${source.join('')}\n`)
      .join('')
      .replace(/from '(\.\.?\/[^']+)'/g, (_, file: string) => `from '${pathToFileURL(join(folder, file)).href}'`);
    const script = join(temporary, 'notebook.mjs');
    const jupyter = `{ image: (bytes) => console.log(${JSON.stringify(IMAGE)} + Buffer.from(bytes).toString('base64')) }`;
    writeFileSync(
      script,
      `import { Buffer } from 'node:buffer';\nconst jupyter = ${jupyter};\n${code.replaceAll('globalThis.Deno?.jupyter', 'jupyter')}`,
    );
    const { status, stdout, stderr } = spawnSync(program, [...args, script], { cwd: folder, encoding: 'utf8' });
    if (status !== 0) throw new Error(`${program}: ${stderr}`);
    return stdout
      .split(`${NEXT_CELL}\n`)
      .slice(1)
      .map((text) => {
        const lines = text.split('\n');
        const isImage = (line: string): boolean => line.startsWith(IMAGE);
        return {
          text: lines.filter((line) => !isImage(line)).join('\n'),
          images: lines.filter(isImage).map((line) => line.slice(IMAGE.length)),
        };
      });
  } finally {
    rmSync(temporary, { recursive: true });
  }
};
