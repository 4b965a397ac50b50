import { drawDetections, nameDetections, type NamedDetection } from '../web/index.ts';
import { byId, makeSvg } from './elements.ts';
import type { PageImage } from './engine.ts';

/** A selected phrase (its key), one detection (its query), or nothing. */
export type Selection = { readonly phrase: string } | { readonly query: number } | undefined;

/** A detection as the page shows it. */
export interface ShownDetection extends NamedDetection {
  readonly query: number;
}

/** Key of the phrase of a detection; empty for one without. */
export const phraseKey = ({ phrase }: Pick<NamedDetection, 'phrase'>): string =>
  phrase === undefined ? '' : `${phrase.start}:${phrase.end}`;

/** The image with masks on a canvas, and its boxes above it as SVG that can be pointed at, clicked and focused. */
export class Stage {
  private readonly canvas = byId<HTMLCanvasElement>('canvas');
  private readonly boxes = byId<SVGSVGElement>('boxes');

  /**
   * @param onSelect called with a box that is clicked or chosen by the keyboard
   * @param onHover called with a box that is pointed at, and without one
   */
  constructor(
    private readonly onSelect: (detection: ShownDetection) => void,
    private readonly onHover: (detection: ShownDetection | undefined) => void,
  ) {}

  /** Draws an image with what was found in it. */
  show(image: PageImage, caption: string, detections: readonly ShownDetection[], hasMasks: boolean): void {
    const { width, height } = image.bitmap;
    byId('frame').classList.add('has-image');
    const content = { caption, detections: detections.map(({ detection }) => detection) };
    drawDetections(this.canvas, image.bitmap, content, { masks: hasMasks, boxes: false, labels: false });
    const found = detections.length === 1 ? '1 object' : `${detections.length} objects`;
    this.canvas.setAttribute('aria-label', `${image.name}, ${width} by ${height} pixels, with ${found} found`);
    this.boxes.setAttribute('viewBox', `0 0 ${width} ${height}`);
    const focused = document.activeElement?.getAttribute('data-query');
    // Large boxes first, so that small ones lie above them and can be clicked.
    const areaOf = ({ detection: { box } }: ShownDetection): number => (box[2] - box[0]) * (box[3] - box[1]);
    const bySize = [...detections].sort((a, b) => areaOf(b) - areaOf(a));
    this.boxes.replaceChildren(...bySize.map((shown) => this.boxElement(shown)));
    if (focused != null) this.boxes.querySelector<SVGElement>(`[data-query="${focused}"]`)?.focus();
  }

  /** Shows which boxes are selected, and dims the others. */
  select(selection: Selection): void {
    for (const box of this.boxes.children) {
      const isChosen =
        selection === undefined ||
        ('phrase' in selection
          ? box.getAttribute('data-phrase') === selection.phrase
          : box.getAttribute('data-query') === String(selection.query));
      box.classList.toggle('is-dimmed', !isChosen);
      box.setAttribute('aria-pressed', String(selection !== undefined && isChosen));
    }
  }

  private boxElement(shown: ShownDetection): SVGElement {
    const { detection, phrase, query } = shown;
    const [x0, y0, x1, y1] = detection.box;
    const place = { x: x0, y: y0, width: Math.max(0, x1 - x0), height: Math.max(0, y1 - y0) };
    const color = phrase?.color.css ?? '#bbbbbb';
    const name = `${phrase?.text ?? 'object'}, score ${detection.score.toFixed(2)}`;
    const group = makeSvg('g', {
      class: 'box',
      role: 'button',
      tabindex: 0,
      'aria-label': name,
      'aria-pressed': 'false',
      'data-query': query,
      'data-phrase': phraseKey(shown),
    });
    const title = makeSvg('title', {});
    title.textContent = name;
    const edge = makeSvg('rect', { class: 'edge', ...place, stroke: color });
    if (phrase?.color.dashed === true) edge.setAttribute('stroke-dasharray', '8 4');
    group.append(title, makeSvg('rect', { class: 'rim', ...place }), edge);
    group.addEventListener('click', () => this.onSelect(shown));
    group.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      this.onSelect(shown);
    });
    group.addEventListener('pointerenter', () => this.onHover(shown));
    group.addEventListener('pointerleave', () => this.onHover(undefined));
    return group;
  }
}

/** Detections of a result from a minimum score on, best first. */
export const shownDetections = (
  detections: readonly (NamedDetection['detection'] & { readonly query: number })[],
  caption: string,
  threshold: number,
): ShownDetection[] => {
  const kept = detections.filter(({ score }) => score >= threshold);
  const queries = new Map(kept.map((detection) => [detection as NamedDetection['detection'], detection.query]));
  return nameDetections(kept, caption).named.map((named) => ({ ...named, query: queries.get(named.detection)! }));
};
