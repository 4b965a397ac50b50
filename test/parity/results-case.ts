import { masksAtOriginalSize, phraseCutResult } from '../../src/postprocess/masks.ts';
import { positiveRowsOf, rankBoxesByPhrase } from '../../src/postprocess/phrase-boxes.ts';
import { postprocessBoxes } from '../../src/postprocess/scored-boxes.ts';
import { maskToDense } from '../../src/geometry/run-lengths.ts';
import type { Size } from '../../src/geometry/size.ts';
import type { ReferenceCase } from '../support/reference-case.ts';
import { Row, TOLERANCES } from './comparison.ts';

interface ResultsJson {
  readonly items_per_batch_element: readonly number[];
  readonly flickr: readonly (readonly (readonly (readonly number[])[])[])[];
  readonly segm_different: { readonly orig: readonly Size[]; readonly max: readonly Size[] };
  readonly segm_equal: { readonly orig: readonly Size[]; readonly max: readonly Size[] };
  readonly phrasecut: readonly { readonly scores: readonly number[]; readonly boxes: readonly (readonly number[])[] }[];
}

/** A case of the post-processors: boxes, phrases, and masks of different and equal sizes. */
export const isResultsCase = (reference: ReferenceCase): boolean => 'items_per_batch_element' in reference.json;

export const compareResultsCase = (name: string, reference: ReferenceCase): Row => {
  const row = new Row(name);
  const json = reference.json as unknown as ResultsJson;
  const batch = json.items_per_batch_element.length;
  const part = (tensor: string, sample: number): Float32Array => {
    const values = reference.f32(tensor);
    const size = values.length / batch;
    return values.subarray(sample * size, (sample + 1) * size);
  };
  const sizes = Array.from(reference.typed('target_sizes', 'i64').data, Number);
  const phrases = positiveRowsOf(reference.f32('positive_map'));
  let first = 0;
  json.items_per_batch_element.forEach((count, sample) => {
    const size = { height: sizes[2 * sample]!, width: sizes[2 * sample + 1]! };
    const outputs = { logits: part('pred_logits', sample), boxes: part('pred_boxes', sample) };
    const { scores, boxes } = postprocessBoxes(outputs, size);
    const results = row.in('results', TOLERANCES.values);
    results.tensors(`scores of ${sample}`, scores, reference.f32(`bbox${sample}.scores`));
    results.tensors(`boxes of ${sample}`, boxes, reference.f32(`bbox${sample}.boxes`));
    const ranking = rankBoxesByPhrase(outputs, size, phrases.slice(first, (first += count)));
    results.tensors(
      `phrases of ${sample}`,
      ranking.flatMap((ranked) => ranked.flatMap(({ box }) => [...box])),
      json.flickr[sample]!.flat(2),
    );
  });
  for (const kind of ['segm_different', 'segm_equal'] as const) compareMasks(row, reference, json, kind);
  return row;
};

const compareMasks = (
  row: Row,
  reference: ReferenceCase,
  json: ResultsJson,
  kind: 'segm_different' | 'segm_equal',
): void => {
  const { shape, data } = reference.typed('pred_masks', 'f32');
  const [, queries, height, width] = shape as [number, number, number, number];
  const { orig, max } = json[kind];
  const padded: Size = [Math.max(...max.map(([rows]) => rows)), Math.max(...max.map(([, columns]) => columns))];
  orig.forEach((original, sample) => {
    const size = queries * height * width;
    const masks = masksAtOriginalSize(
      { data: data.subarray(sample * size, (sample + 1) * size), queries, height, width },
      { padded, resized: max[sample]!, original },
    );
    const cell = row.in('mask pixels', TOLERANCES.flips);
    cell.tensors(
      `${kind} ${sample}`,
      masks.flatMap((mask) => Array.from(maskToDense(mask))),
      reference.u8(`${kind}${sample}.masks`),
    );
    const phrase = kind === 'segm_equal' ? json.phrasecut[sample] : undefined;
    if (phrase === undefined) return;
    const { mask } = phraseCutResult({ scores: phrase.scores, boxesXyxy: [], masks }, original);
    cell.tensors(`PhraseCut ${sample}`, maskToDense(mask), reference.u8(`phrasecut${sample}.mask`));
  });
};
