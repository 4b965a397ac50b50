/**
 * Writes five scenes with the results of the embedded default model: images in examples/scenes and for the README,
 * examples/README.md with texts and answers, and a sheet of failures for docs/results.md. Run it after the model has
 * changed.
 *
 *     npx tsx scripts/examples/make-examples.ts && npx tsx scripts/examples/make-notebook.ts
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { generateScene, makeTexts, Random, type RenderedScene } from '../../src/scenes/index.ts';
import { drawDetections } from '../../src/drawing/node/index.ts';
import { MDETR } from '../../src/inference/node/mdetr.ts';
import { evaluateScenes } from '../../src/benchmarks/scenes/evaluate-scenes.ts';
import type { DetectionResult } from '../../src/results/types.ts';
import type { WorstCase } from '../../src/benchmarks/benchmark-report.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'examples/scenes');
/** Caption of the first call in the README. */
const README_CAPTION = 'a large green sphere and the small purple cylinder';
/** Seed of scenes that are not in the training data. */
const SEED = 7;

const pngOf = ({ image }: RenderedScene): Promise<Buffer> =>
  sharp(image.data, { raw: { width: image.width, height: image.height, channels: 3 } })
    .png({ palette: true, quality: 90, effort: 10 })
    .toBuffer();

const smaller = (png: Uint8Array): Promise<Buffer> =>
  sharp(png).png({ palette: true, quality: 90, effort: 10 }).toBuffer();

const quoted = (text: string): string => `"${text}"`;

const model = await MDETR.fromPretrained('default');
await mkdir(folder, { recursive: true });
const sections: string[] = [];
for (let index = 0; index < 5; index++) {
  const scene = generateScene(SEED, index, { width: 480, height: 320 });
  const random = Random.of(5, index, 'examples');
  const [caption] = makeTexts(scene, 'caption', random, { minPhrases: 3, maxPhrases: 4 });
  const [expression] = makeTexts(scene, 'expression', random, { expressionTypes: ['relation', 'superlative'] });
  const questions = makeTexts(scene, 'question', random, { count: 3 });
  if (caption === undefined || expression === undefined) throw new Error('internal: the scene has no captions');
  const name = `scene${index}`;
  const encoded = await model.encodeImage(scene.image);
  const found = await encoded.detect(caption.text);
  const referred = await encoded.refer(expression.text, { masks: true });
  const drawn = async ({ caption, detections }: Pick<DetectionResult, 'caption' | 'detections'>) =>
    smaller(await drawDetections(scene.image, { caption, detections }));
  const best = await drawn({
    caption: expression.text,
    detections: referred.best === null ? [] : [referred.best],
  });
  await writeFile(join(folder, `${name}.png`), await pngOf(scene));
  await writeFile(join(folder, `${name}-caption.png`), await drawn(found));
  await writeFile(join(folder, `${name}-expression.png`), best);
  if (index === 0) {
    await writeFile(join(root, 'examples/scene.png'), await pngOf(scene));
    await writeFile(join(root, 'docs/images/boxes.png'), await drawn(await encoded.detect(README_CAPTION)));
  }
  const answers: string[] = [];
  for (const { text, answer } of questions) {
    const predicted = await encoded.ask(text);
    answers.push(`| ${text} | ${predicted.answer} (${predicted.probability.toFixed(2)}) | ${answer} |`);
  }
  sections.push(`## ${name}

\`npx mdetr detect examples/scenes/${name}.png --caption ${quoted(caption.text)} --out boxes.png\`

![${caption.text}](scenes/${name}-caption.png)

\`npx mdetr refer examples/scenes/${name}.png --expression ${quoted(expression.text)} --masks --out best.png\`

![${expression.text}](scenes/${name}-expression.png)

| question | predicted answer | correct answer |
|---|---|---|
${answers.join('\n')}
`);
}

/** The two worst failures of each kind: missed object, box for an absent object, wrong object, wrong answer. */
const failures = async (): Promise<Uint8Array[]> => {
  const task = {
    seed: 11,
    images: 120,
    textsPerKind: 1,
    threshold: 0.7,
    worst: 80,
    scene: { width: 480, height: 320 },
  };
  const { worst } = await evaluateScenes(model, { ...task, split: 'standard' });
  const byKind = new Map<string, WorstCase[]>();
  for (const failure of worst) {
    const [kind] = failure.note.split(/[ :]/) as [string];
    byKind.set(kind, [...(byKind.get(kind) ?? []), failure]);
  }
  const chosen = [...byKind.values()].flatMap((cases) => cases.slice(0, 2));
  return Promise.all(chosen.map(({ image }) => image()));
};

/** Arranges images in two columns. */
const sheetOf = async (images: readonly Uint8Array[]): Promise<Buffer> => {
  const [width, height] = [480, 380];
  const tiles = await Promise.all(
    images.map((image) => sharp(image).resize(width, height, { fit: 'contain', background: 'white' }).toBuffer()),
  );
  const rows = Math.ceil(tiles.length / 2);
  return sharp({ create: { width: 2 * width, height: rows * height, channels: 3, background: 'white' } })
    .composite(tiles.map((input, k) => ({ input, left: (k % 2) * width, top: Math.floor(k / 2) * height })))
    .png({ palette: true, quality: 90, effort: 10 })
    .toBuffer();
};
await writeFile(join(root, 'docs/images/failures.png'), await sheetOf(await failures()));
await model.dispose();

await writeFile(
  join(root, 'examples/README.md'),
  `# Examples

- [finetune](finetune/README.md): fine-tuning on ten images, with the command line and the library.
- [notebook](notebook/detect.ipynb): detection, questions and expressions in Jupyter with the Deno kernel. \`npx tsx scripts/examples/make-notebook.ts\`
  runs it in Node and stores its outputs.
- [trees](trees/README.md): fine-tuning on photographs from a package of PyPI, with its numbers.
- Five scenes that are not in the training data, with all results of the embedded default model, correct or not. The captions
  and questions are sampled at random. \`scene.png\` is the first of them. Generated by \`npx tsx scripts/examples/make-examples.ts\`.

${sections.join('\n')}`,
);
