/*
 * Runs the notebook of the examples in Node and stores its outputs in it (needs `npm run build`):
 *
 *     npx tsx scripts/examples/make-notebook.ts
 */
import { writeFileSync } from 'node:fs';
import { readNotebook, runNotebook } from '../../test/support/notebook.ts';

const PATH = 'examples/notebook/detect.ipynb';
const notebook = readNotebook(PATH);
const outputs = runNotebook(PATH, [process.execPath]);
let code = 0;
const cells = notebook.cells.map((cell) => {
  if (cell.cell_type !== 'code') return cell;
  const { text, images } = outputs[code++]!;
  const lines = text === '' ? [] : text.split(/(?<=\n)/);
  return {
    ...cell,
    execution_count: code,
    outputs: [
      ...(lines.length === 0 ? [] : [{ name: 'stdout', output_type: 'stream', text: lines }]),
      ...images.map((image) => ({
        output_type: 'execute_result',
        data: { 'image/jpeg': image },
        metadata: {},
        execution_count: code,
      })),
    ],
  };
});
writeFileSync(PATH, `${JSON.stringify({ ...notebook, cells }, null, 1)}\n`);
