import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DRAWN_FORMATS, drawImages, drawnImages, writeFormat } from '../support/drawn-dataset.ts';
import { CommandLine } from '../support/run-mdetr.ts';

let cli: CommandLine;
beforeAll(() => (cli = new CommandLine()));
afterAll(() => cli.remove());

describe.runIf(process.env['MDETR_TEST_FULL'] === '1')(
  'every format is imported, trained on for 20 steps and detected',
  () => {
    const images = drawnImages();

    it.each(Object.keys(DRAWN_FORMATS))(
      '%s',
      async (format) => {
        const source = cli.file(format);
        await drawImages(join(source, 'images'), images);
        writeFormat(source, DRAWN_FORMATS[format]!(images));
        const [dataset, run] = [cli.file(`${format}-dataset`), cli.file(`${format}-run`)];
        const commands = [
          ['data', 'import', source, '--out', dataset],
          ['train', join(dataset, 'config.json'), '--set', 'max_steps=20', '--output-dir', run],
          [
            'detect',
            join(source, 'images', images[0]!.name),
            '--caption',
            'apple. banana.',
            '--model',
            join(run, 'best'),
          ],
        ];
        for (const command of commands) {
          const { status, stderr } = await cli.call(...command);
          expect(status, stderr).toBe(0);
        }
      },
      120_000,
    );
  },
);
