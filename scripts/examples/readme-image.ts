/** Draws the image of the README: a scene with its ground-truth boxes in the colors of a caption's phrases. */
import { makeTexts } from '../../src/scenes/language/make-texts.ts';
import { Random } from '../../src/random/random.ts';
import { generateScene } from '../../src/scenes/render/scene.ts';
import { writeDrawing } from '../../src/drawing/node/index.ts';

const scene = generateScene(7, 0, { width: 480, height: 320 });
const [text] = makeTexts(scene, 'caption', Random.of(5, 0, 'readme'), { minPhrases: 3, maxPhrases: 4 });
if (text === undefined) throw new Error('internal: the scene has no caption');
const detections = text.phrases.flatMap(({ start, end, objects }) =>
  objects.map((object) => ({ box: scene.objects[object]!.box, score: 1, spans: [{ start, end }] })),
);
await writeDrawing('docs/images/boxes.png', scene.image, { caption: text.text, detections });
