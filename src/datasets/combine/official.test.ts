import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { CocoAnnotation, CocoRow, Span } from '../../data/format/coco-format.ts';
import type { BoxXywh } from '../../geometry/boxes.ts';
import { mergeNearDuplicateBoxes } from '../../geometry/box-clusters.ts';
import { codePointsOf } from './caption-spans.ts';
import { combineTexts } from './combine-texts.ts';

interface OfficialText {
  readonly caption: string;
  readonly tokens_negative: Span[];
  readonly annotations: Pick<CocoAnnotation, 'area' | 'iscrowd' | 'category_id' | 'bbox' | 'tokens_positive'>[];
}
interface Official {
  /** Random texts of an image, and what the official script (commit ea09acc, torch 2) made of them. */
  readonly images: { readonly texts: OfficialText[]; readonly combined: OfficialText[] }[];
  readonly nearDuplicates: { readonly boxes: BoxXywh[]; readonly combined: BoxXywh[] }[];
}

const file = new URL('../../../test/fixtures/combine/official.json', import.meta.url);
const official = JSON.parse(readFileSync(file, 'utf8')) as Official;

describe('the combination', () => {
  it('equals the official script on random texts with hyphens, emoji, spans anywhere and boxes at the threshold', () => {
    let texts = 0;
    for (const { texts: given, combined } of official.images) {
      texts += given.length;
      const rows = given.map(({ caption, tokens_negative, annotations }): CocoRow => ({
        image: { id: 0, file_name: 'a.jpg', width: 100, height: 100, caption, tokens_negative },
        annotations: annotations.map((annotation) => ({ image_id: 0, ...annotation })),
      }));
      const made = combineTexts(rows, { mergeBoxesAt: 2 }).map(({ caption, tokens_negative, annotations }) => ({
        caption,
        tokens_negative,
        annotations,
      }));
      expect(made).toEqual(combined.map(withinCaption));
    }
    expect(texts).toBeGreaterThan(300);
  });

  it('merges near-duplicate boxes as the official script', () => {
    for (const { boxes, combined } of official.nearDuplicates)
      expect(mergeNearDuplicateBoxes(boxes, 0.7)).toEqual(combined);
  });
});

/** The official clean-up sees the caption with a space behind it and may leave a span that ends there. */
const withinCaption = (text: OfficialText): OfficialText => {
  const length = codePointsOf(text.caption).length;
  const clamped = (spans: readonly Span[] = []): Span[] => spans.map(([begin, end]) => [begin, Math.min(end, length)]);
  return {
    ...text,
    tokens_negative: clamped(text.tokens_negative),
    annotations: text.annotations.map((box) => ({ ...box, tokens_positive: clamped(box.tokens_positive) })),
  };
};
