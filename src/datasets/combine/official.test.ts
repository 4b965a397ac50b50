import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { CocoAnnotation, CocoRow } from '../../data/format/coco-format.ts';
import type { CodePointSpan } from '../../text/spans/span.ts';
import type { BoxXywh } from '../../geometry/boxes.ts';
import { mergeNearDuplicateBoxes } from '../../geometry/box-clusters.ts';
import { codePointsOf } from './caption-spans.ts';
import { combineCaptions } from './combine-captions.ts';

interface OfficialCaption {
  readonly caption: string;
  readonly tokens_negative: CodePointSpan[];
  readonly annotations: Pick<CocoAnnotation, 'area' | 'iscrowd' | 'category_id' | 'bbox' | 'tokens_positive'>[];
}
interface Official {
  /** Random captions of an image, and the output of the official script for them (commit ea09acc, torch 2). */
  readonly images: { readonly texts: OfficialCaption[]; readonly combined: OfficialCaption[] }[];
  readonly nearDuplicates: { readonly boxes: BoxXywh[]; readonly combined: BoxXywh[] }[];
}

const file = new URL('../../../test/fixtures/combine/official.json', import.meta.url);
const official = JSON.parse(readFileSync(file, 'utf8')) as Official;

describe('combineCaptions', () => {
  it('agrees with the official script on random captions with hyphens, emoji and boxes at the threshold', () => {
    let count = 0;
    for (const { texts: given, combined } of official.images) {
      count += given.length;
      const rows = given.map(({ caption, tokens_negative, annotations }): CocoRow => ({
        image: { id: 0, file_name: 'a.jpg', width: 100, height: 100, caption, tokens_negative },
        annotations: annotations.map((annotation) => ({ image_id: 0, ...annotation })),
      }));
      const made = combineCaptions(rows, { mergeBoxesAt: 2 }).map(({ caption, tokens_negative, annotations }) => ({
        caption,
        tokens_negative,
        annotations,
      }));
      expect(made).toEqual(combined.map(withinCaption));
    }
    expect(count).toBeGreaterThan(300);
  });

  it('merges near-duplicate boxes like the official script', () => {
    for (const { boxes, combined } of official.nearDuplicates)
      expect(mergeNearDuplicateBoxes(boxes, 0.7)).toEqual(combined);
  });
});

/** Clips spans to the caption: the official script consolidates with a trailing space, where a span may end. */
const withinCaption = (official: OfficialCaption): OfficialCaption => {
  const length = codePointsOf(official.caption).length;
  const clamped = (spans: readonly CodePointSpan[] = []): CodePointSpan[] =>
    spans.map(([begin, end]) => [begin, Math.min(end, length)]);
  return {
    ...official,
    tokens_negative: clamped(official.tokens_negative),
    annotations: official.annotations.map((box) => ({ ...box, tokens_positive: clamped(box.tokens_positive) })),
  };
};
