import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { convertModel } from '../../src/model-folder/node/convert.ts';
import { projectRoot, roberta } from '../support/run-mdetr.ts';

/** Converts in a process of its own and prints the most memory that it used, in MB. */
const CONVERT = `
import { convertModel } from './src/model-folder/node/convert.ts';
const [from, to, tokenizer] = process.argv.slice(2);
await convertModel(from, to, { dtype: 'float16', tokenizer });
console.log(process.resourceUsage().maxRSS / 1024);
`;

describe('a checkpoint of official size', { timeout: 280_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'mdetr-precision-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('becomes a folder of at most 400 MB in float16 with at most 700 MB of memory', async () => {
    const untrained = join(folder, 'untrained');
    mkdirSync(untrained);
    const config = { backbone: 'resnet101', text_encoder_type: 'roberta-base', init_seed: 1 };
    writeFileSync(join(untrained, 'config.json'), JSON.stringify(config));
    const checkpoint = join(folder, 'checkpoint.pth');
    await convertModel(untrained, checkpoint, { tokenizer: roberta });
    expect(statSync(checkpoint).size).toBeGreaterThan(700e6);
    const script = join(projectRoot, `.convert-${process.pid}.mts`);
    writeFileSync(script, CONVERT);
    try {
      const out = join(folder, 'half');
      const args = ['--import', 'tsx', script, checkpoint, out, roberta];
      const megabytes = Number(execFileSync(process.execPath, args, { cwd: projectRoot, encoding: 'utf8' }));
      const bytes = readdirSync(out).reduce((sum, name) => sum + statSync(join(out, name)).size, 0);
      expect(bytes).toBeLessThan(400e6);
      expect(megabytes).toBeLessThan(700);
    } finally {
      rmSync(script);
    }
  });
});
