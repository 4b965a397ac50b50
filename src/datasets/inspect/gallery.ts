import sharp from 'sharp';
import { messageOf } from '../../errors.ts';
import { escapeHtml } from '../../files/html-text.ts';
import { CodePointMap } from '../../text/spans/code-points.ts';
import type { CocoAnnotation, CocoRow } from '../../data/format/coco-format.ts';
import type { CodePointSpan } from '../../text/spans/span.ts';
import type { AnnotatedImages } from '../../data/images/node/annotated-images.ts';
import type { RawImage } from '../../data/images/raw-image.ts';

/** A row to show, with its file and index. */
export interface GallerySample {
  /** Name of the annotation file. */
  readonly file: string;
  /** Index of the row in it. */
  readonly row: number;
  /** The row. */
  readonly content: CocoRow;
}

/** Options of `galleryPage`. */
export interface GalleryOptions {
  /** Heading of the page. */
  readonly title: string;
  /** Folders of the images. */
  readonly images: AnnotatedImages;
  /** Maximum side of the images in the page, in pixels. Default 560. */
  readonly sidePx?: number;
}

/**
 * Self-contained HTML page with every sample's image, boxes and caption; the words of a box have its color. The page
 * loads nothing and runs no script, and all text from the files is escaped.
 */
export const galleryPage = async (samples: readonly GallerySample[], options: GalleryOptions): Promise<string> => {
  const figures: string[] = [];
  for (const sample of samples) figures.push(await figureOf(sample, options));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(options.title)}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em; color: #222; background: #fafafa; }
h1 { font-size: 1.2em; }
main { display: flex; flex-wrap: wrap; gap: 1.5em; align-items: flex-start; }
figure { margin: 0; padding: 0.8em; max-width: 560px; background: #fff; border: 1px solid #ddd; border-radius: 6px; }
svg { display: block; width: 100%; height: auto; }
rect { fill: none; stroke-width: 2px; vector-effect: non-scaling-stroke; }
rect:hover { stroke-width: 5px; }
figcaption { margin-top: 0.6em; overflow-wrap: anywhere; white-space: pre-wrap; }
mark { color: inherit; border-radius: 3px; padding: 1px 0; }
small { display: block; color: #666; }
.problem { padding: 2em; color: #a00; background: #fee; }
</style>
</head>
<body>
<h1>${escapeHtml(options.title)}</h1>
<main>
${figures.join('\n')}
</main>
</body>
</html>
`;
};

const figureOf = async ({ file, row, content }: GallerySample, { images, sidePx }: GalleryOptions): Promise<string> => {
  const { image, annotations } = content;
  const phrases = phrasesOf(annotations);
  let figure: string;
  try {
    const { href, width, height } = await embeddedImage(await images.decode(image), sidePx ?? 560);
    const boxes = annotations.map((annotation) => boxOf(annotation, phrases, image.caption ?? ''));
    figure = `<svg viewBox="0 0 ${width} ${height}" role="img"><image href="${href}" width="${width}" height="${height}"/>${boxes.join('')}</svg>`;
  } catch (error) {
    figure = `<div class="problem">${escapeHtml(messageOf(error))}</div>`;
  }
  const facts = [`${file}, row ${row}`, image.file_name, image.dataset_name ?? '', `${annotations.length} boxes`];
  return `<figure>${figure}<figcaption>${markedCaption(image.caption ?? '', phrases)}<small>${facts
    .filter((fact) => fact !== '')
    .map(escapeHtml)
    .join(' · ')}</small></figcaption></figure>`;
};

/** The image scaled down, as a data URL. Width and height are those of the original image, in pixels. */
const embeddedImage = async (
  { data, width, height }: RawImage,
  sidePx: number,
): Promise<{ href: string; width: number; height: number }> => {
  const jpeg = await sharp(data, { raw: { width, height, channels: 3 } })
    .resize({ width: sidePx, height: sidePx, fit: 'inside', withoutEnlargement: true })
    .jpeg({ quality: 80 })
    .toBuffer();
  return { href: `data:image/jpeg;base64,${jpeg.toString('base64')}`, width, height };
};

interface Phrase {
  readonly spans: readonly CodePointSpan[];
  readonly hue: number;
}

const spansOf = ({ tokens, tokens_positive }: CocoAnnotation): readonly CodePointSpan[] =>
  tokens ?? tokens_positive ?? [];

/** Groups boxes with equal spans into phrases of one color. Hues are a golden angle apart, which keeps them distinct. */
const phrasesOf = (annotations: readonly CocoAnnotation[]): Map<string, Phrase> => {
  const phrases = new Map<string, Phrase>();
  for (const annotation of annotations) {
    const spans = spansOf(annotation);
    const key = JSON.stringify(spans);
    if (!phrases.has(key)) phrases.set(key, { spans, hue: Math.round(phrases.size * 137.5 + 10) % 360 });
  }
  return phrases;
};

const boxOf = (annotation: CocoAnnotation, phrases: ReadonlyMap<string, Phrase>, caption: string): string => {
  const [x, y, width, height] = annotation.bbox;
  const spans = spansOf(annotation);
  const { hue } = phrases.get(JSON.stringify(spans))!;
  const at = new CodePointMap(caption);
  const words = spans.map(([begin, end]) => caption.slice(at.toUtf16(begin), at.toUtf16(end))).join(' … ');
  const size = `width="${Math.max(0, width)}" height="${Math.max(0, height)}"`;
  return `<rect x="${x}" y="${y}" ${size} stroke="hsl(${hue} 90% 45%)"><title>${escapeHtml(words)}</title></rect>`;
};

/** HTML of the caption. Where phrases overlap, the shortest has the background color and the others are underlined. */
const markedCaption = (caption: string, phrases: ReadonlyMap<string, Phrase>): string => {
  const at = new CodePointMap(caption);
  const spans = [...phrases.values()].flatMap((phrase) =>
    phrase.spans.map(([begin, end]) => ({ begin: at.toUtf16(begin), end: at.toUtf16(end), hue: phrase.hue })),
  );
  const cuts = [...new Set([0, caption.length, ...spans.flatMap(({ begin, end }) => [begin, end])])].sort(
    (a, b) => a - b,
  );
  let html = '';
  for (let c = 0; c + 1 < cuts.length; c++) {
    const [begin, end] = [cuts[c]!, cuts[c + 1]!];
    const text = escapeHtml(caption.slice(begin, end));
    const covering = spans
      .filter((span) => span.begin <= begin && end <= span.end)
      .sort((a, b) => a.end - a.begin - (b.end - b.begin));
    if (covering.length === 0) html += text;
    else {
      const lines = covering.slice(1, 4).map(({ hue }, k) => `0 ${2 * (k + 1)}px 0 hsl(${hue} 90% 45%)`);
      const shadow = lines.length > 0 ? `;box-shadow:${lines.join(',')}` : '';
      html += `<mark style="background:hsl(${covering[0]!.hue} 90% 82%)${shadow}">${text}</mark>`;
    }
  }
  return html;
};
