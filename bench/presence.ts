import { parseArgs } from 'node:util';
import { MDETR } from '../src/inference/node/mdetr.ts';
import { Random } from '../src/random/random.ts';
import type { CaptionPhrase } from '../src/results/types.ts';
import { makeTexts } from '../src/scenes/language/make-texts.ts';
import { generateScene } from '../src/scenes/render/scene.ts';
import type { Span } from '../src/text/index.ts';

/**
 * How often `present` is right, on scenes that neither training nor calibration has seen:
 *
 *     npx tsx bench/presence.ts [--model default] [--scenes 500] [--seed 977]
 *
 * For every phrase of a caption, the phrase of the result that covers most of it is compared with the scene. Targets:
 * absent phrases recognized ≥ 95 %, at ≤ 5 % false alarms (present phrases that count as absent).
 */
const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'default' },
    scenes: { type: 'string', default: '500' },
    seed: { type: 'string', default: '977' },
  },
});

const overlap = (a: Span, b: Span): number => Math.min(a.end, b.end) - Math.max(a.start, b.start);

const covering = (phrases: readonly CaptionPhrase[], span: Span): CaptionPhrase | undefined =>
  [...phrases].filter((phrase) => overlap(phrase, span) > 0).sort((a, b) => overlap(b, span) - overlap(a, span))[0];

const model = await MDETR.fromPretrained(values.model);
const count = { present: 0, presentRight: 0, absent: 0, absentRight: 0, unlisted: 0 };
const seed = Number(values.seed);
for (let index = 0; index < Number(values.scenes); index++) {
  const scene = generateScene(seed, index, {});
  for (const kind of ['caption', 'negative'] as const)
    for (const text of makeTexts(scene, kind, Random.of(seed, index, 'presence', kind), { count: 1 })) {
      const { phrases } = await model.detect(scene.image, text.text, { truncation: 'end' });
      for (const phrase of text.phrases) {
        const found = covering(phrases, phrase);
        if (found === undefined) count.unlisted++;
        if (phrase.objects.length > 0) {
          count.present++;
          count.presentRight += Number(found?.present === true);
        } else {
          count.absent++;
          count.absentRight += Number(found?.present === false);
        }
      }
    }
}
await model.dispose();
const percent = (part: number, all: number): string => `${((100 * part) / all).toFixed(1)} %`;
console.log(
  `absent phrases recognized   ${percent(count.absentRight, count.absent)} of ${count.absent} (target ≥ 95 %)`,
);
console.log(
  `false alarms                ${percent(count.present - count.presentRight, count.present)} of ${count.present} (target ≤ 5 %)`,
);
console.log(`phrases not in the result   ${count.unlisted}`);
